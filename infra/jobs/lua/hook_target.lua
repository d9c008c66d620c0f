-- Where a message to this webhook goes, and the secrets that sign it, the newest first. A disabled endpoint is none,
-- unless it is asked for by `disabled_too`.
-- Answers: ok, {url, secret …} | missing | disabled | no_secret.

local is_url = string.find(A.webhook, '://', 1, true)
local key = is_url and P .. 'hook-secret:' .. A.owner or P .. 'hook:' .. A.webhook
local owner, url, secret, old, disabled =
  unpack(redis.call('HMGET', key, 'owner', 'url', 'secret', 'old_secrets', 'disabled_at'))
if owner ~= A.owner then return answer(is_url and 'no_secret' or 'missing') end
if disabled and not A.disabled_too then return answer('disabled') end
local target = {is_url and A.webhook or url, secret}
for _, each in ipairs(old and cjson.decode(old) or {}) do
  if each['until'] > now then target[#target + 1] = each.secret end
end
return answer('ok', target)
