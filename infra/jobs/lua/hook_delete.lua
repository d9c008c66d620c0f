-- Remove an endpoint. Messages to it that are still pending fail when their turn comes. Said again within the hour:
-- the same. Answers: ok | missing.

local gone_key = P .. 'hook-gone:' .. A.id
local owner = redis.call('HGET', P .. 'hook:' .. A.id, 'owner') or redis.call('GET', gone_key)
if owner ~= A.owner then return answer('missing') end
redis.call('DEL', P .. 'hook:' .. A.id)
redis.call('ZREM', P .. 'hooks:' .. A.owner, A.id)
redis.call('SET', gone_key, A.owner, 'PX', ATTEMPT_KEPT_MS)
return answer('ok')
