-- What came of sending a message. Only who has it leased may say so; said again: nothing changes.
-- Answers: pending | delivered | failed, '' or why its endpoint was disabled just now | stale.

local function note_attempt()
  local count = redis.call('HINCRBY', outbox_key(A.id), 'attempts', 1)
  redis.call('HINCRBY', outbox_key(A.id), 'tries', 1)
  redis.call('HSET', outbox_key(A.id), 'attempt:' .. count, A.attempt, 'settled', A.token)
  redis.call('HDEL', outbox_key(A.id), 'attempt:' .. count - LOG_MAX)
end

local function disable(key, reason)
  redis.call('HSET', key, 'disabled_at', now, 'disabled_because', reason)
  return reason
end

-- Endpoints remember since when they fail; one that is gone, or has failed for days, is disabled.
local function note_endpoint(webhook)
  local key = P .. 'hook:' .. webhook
  if redis.call('EXISTS', key) == 0 or redis.call('HEXISTS', key, 'disabled_at') == 1 then return '' end
  if A.state == 'delivered' then
    redis.call('HDEL', key, 'failing_since')
    return ''
  end
  redis.call('HSETNX', key, 'failing_since', now)
  if A.gone then return disable(key, 'gone') end
  if now - number(redis.call('HGET', key, 'failing_since')) >= A.patience_ms then return disable(key, 'failing') end
  return ''
end

local lease, settled, state, webhook =
  unpack(redis.call('HMGET', outbox_key(A.id), 'lease', 'settled', 'state', 'webhook'))
if lease ~= A.token then return answer(settled == A.token and state or 'stale') end
note_attempt()
if A.state == 'pending' then send_at(A.id, now + A.delay_ms) else close_message(A.id, A.state) end
return answer(A.state, note_endpoint(webhook))
