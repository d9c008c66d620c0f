-- A new secret for an endpoint, or for the owner's own webhooks when no endpoint is named. The one before it goes on
-- signing for a while. Said again with the same secret: nothing changes. Answers: ok, hash | missing.

local OLD_MOST = 5  -- secrets of former rotations that sign beside the newest

local key = A.id and P .. 'hook:' .. A.id or P .. 'hook-secret:' .. A.owner
local owner, secret, old = unpack(redis.call('HMGET', key, 'owner', 'secret', 'old_secrets'))
if A.id and owner ~= A.owner then return answer('missing') end
if secret ~= A.secret then
  local kept = {}
  for _, each in ipairs(old and cjson.decode(old) or {}) do
    if each['until'] > now then kept[#kept + 1] = each end
  end
  if secret then table.insert(kept, 1, {secret = secret, ['until'] = now + A.overlap_ms}) end
  while #kept > OLD_MOST do table.remove(kept) end
  redis.call('HSET', key, 'owner', A.owner, 'secret', A.secret, 'rotated_at', now)
  if #kept > 0 then redis.call('HSET', key, 'old_secrets', cjson.encode(kept)) end
end
return answer('ok', redis.call('HGETALL', key))
