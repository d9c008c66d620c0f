-- Disable or enable an endpoint. Answers: ok, endpoint hash | missing.

local key = P .. 'hook:' .. A.id
if redis.call('HGET', key, 'owner') ~= A.owner then return answer('missing') end
if A.enabled then
  redis.call('HDEL', key, 'disabled_at', 'disabled_because', 'failing_since')
elseif redis.call('HEXISTS', key, 'disabled_at') == 0 then
  redis.call('HSET', key, 'disabled_at', now, 'disabled_because', 'asked')
end
return answer('ok', redis.call('HGETALL', key))
