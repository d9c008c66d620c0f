-- Messages for a dispatcher to send, at most `most`, leased to it under `token`. Said again: the same ones.
-- Answers: ok | more (call again: others are due that this call did not look at), {message hash …}.

local SORTED_MOST = 200  -- due messages that one call puts into lanes

local taken_key = P .. 'outbox:taken:' .. A.token

local function messages(ids)
  local found = {}
  for _, id in ipairs(ids) do
    local message = redis.call('HGETALL', outbox_key(id))
    if message[1] then found[#found + 1] = message end
  end
  return found
end

-- Those whose dispatcher is silent wait for their turn again.
local function recall()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'outbox:flying', '-inf', now)) do
    land(id)
    join_lane(id, now)
  end
end

local function sort()
  local due = redis.call('ZRANGEBYSCORE', P .. 'outbox', '-inf', now, 'WITHSCORES', 'LIMIT', 0, SORTED_MOST)
  for i = 1, #due, 2 do
    redis.call('ZREM', P .. 'outbox', due[i])
    join_lane(due[i], due[i + 1])
  end
  return #due == 2 * SORTED_MOST
end

local function serve()
  local ids = {}
  while #ids < A.most do
    local lane = redis.call('ZPOPMIN', P .. 'outbox:lanes')[1]
    if not lane then break end
    local id = redis.call('ZPOPMIN', lane_key(lane))[1]
    fly(id, lane, A.token)
    offer(lane)
    ids[#ids + 1] = id
  end
  return ids
end

local before = redis.call('GET', taken_key)
if before then return answer('ok', messages(cjson.decode(before))) end
recall()
local more = sort()
local ids = serve()
if #ids > 0 then redis.call('SET', taken_key, cjson.encode(ids), 'PX', FLIGHT_MS) end
return answer(more and 'more' or 'ok', messages(ids))
