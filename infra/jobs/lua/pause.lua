-- Claim no more from a queue, of a model or by a worker, until it is resumed. Said again: the first pause stands.
-- Answers: ok, the pause as JSON.

local STALE_MS = 24 * 3600 * 1000

-- A worker that ended without taking leave never comes back under its id; one that is only cut off does so sooner.
local function drop_stale()
  local fields = redis.call('HGETALL', PAUSED)
  for i = 1, #fields, 2 do
    local id = string.match(fields[i], '^worker:(.+)')
    if id and not redis.call('ZSCORE', P .. 'workers', id) and cjson.decode(fields[i + 1]).at < now - STALE_MS then
      redis.call('HDEL', PAUSED, fields[i])
    end
  end
end

local field = A.what .. ':' .. A.name
drop_stale()
redis.call('HSETNX', PAUSED, field, cjson.encode({at = now, by = A.by, reason = A.reason or ''}))
if A.what == 'worker' then unpark(A.name) end  -- rings are for others
return answer('ok', redis.call('HGET', PAUSED, field))
