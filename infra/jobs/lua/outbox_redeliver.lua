-- Send a message again, now: one that was delivered or has failed begins its schedule anew, one that waits for its
-- next attempt has it at once, one that is being sent stays as it is. Answers: ok, message hash | missing.

local owner, state = unpack(redis.call('HMGET', outbox_key(A.id), 'owner', 'state'))
if owner ~= A.owner then return answer('missing') end
if state == 'delivered' or state == 'failed' then redis.call('HDEL', outbox_key(A.id), 'tries') end
if not redis.call('ZSCORE', P .. 'outbox:due', A.id) then send_at(A.id, now) end
return answer('ok', redis.call('HGETALL', outbox_key(A.id)))
