-- The outbox: messages about ended jobs, on their way to webhooks. A message is a hash `outbox:<id>`, written by the
-- transition that ended its job; it is pending until it was delivered or has failed for good.
--
-- A pending message stands in one of three places: in `outbox` until it is due; then in its lane, where it waits for
-- its turn; then in `outbox:flying` while a dispatcher sends it, until the lease ends. A lane is one destination of one
-- owner. It has few messages in flight at once, and lanes take turns: a slow receiver holds up nobody but itself.

local LANE_MAX = 8              -- messages of one lane in flight at once
local FLIGHT_MS = 60 * 1000     -- a dispatcher that has not told by then is taken for dead, and the message sent again
local LOG_MAX = 50              -- attempts that are kept of one message
local LOG_MS_LEAST = 3600 * 1000
local LOG_MS_MOST = 30 * 24 * 3600 * 1000

local function lane_key(lane) return P .. 'outbox:lane:' .. lane end

-- 'ann|we_…' for an endpoint, 'ann|host:port' for a URL.
local function lane_of(owner, webhook)
  return owner .. '|' .. (string.match(webhook, '^%a+://([^/?#]+)') or webhook)
end

-- Have the lane wait for its turn, behind all that wait, if it has something to send and may send more.
local function offer(lane)
  local busy = number(redis.call('HGET', P .. 'outbox:busy', lane))
  if busy >= LANE_MAX or redis.call('EXISTS', lane_key(lane)) == 0 then
    redis.call('ZREM', P .. 'outbox:lanes', lane)
  elseif not redis.call('ZSCORE', P .. 'outbox:lanes', lane) then
    redis.call('ZADD', P .. 'outbox:lanes', redis.call('INCR', P .. 'outbox:turns'), lane)
  end
end

-- A due message joins its lane, in the order of due times.
local function join_lane(id, due)
  local owner, webhook = unpack(redis.call('HMGET', outbox_key(id), 'owner', 'webhook'))
  if not owner then return end  -- its job was deleted
  local lane = lane_of(owner, webhook)
  redis.call('HSET', outbox_key(id), 'lane', lane)
  redis.call('ZADD', lane_key(lane), due, id)
  redis.call('ZADD', P .. 'outbox:due', due, id)
  offer(lane)
end

local function fly(id, lane, token)
  redis.call('HSET', outbox_key(id), 'lease', token)
  redis.call('ZADD', P .. 'outbox:flying', now + FLIGHT_MS, id)
  redis.call('HINCRBY', P .. 'outbox:busy', lane, 1)
end

-- The message is in flight no more. Does nothing when it was not.
local function land(id)
  if redis.call('ZREM', P .. 'outbox:flying', id) == 0 then return end
  local lane = redis.call('HGET', outbox_key(id), 'lane')
  if redis.call('HINCRBY', P .. 'outbox:busy', lane, -1) == 0 then
    redis.call('HDEL', P .. 'outbox:busy', lane)
  end
  redis.call('HSET', outbox_key(id), 'lease', '')
  offer(lane)
end

-- The message leaves wherever it stands.
local function withdraw(id)
  land(id)
  local lane = redis.call('HGET', outbox_key(id), 'lane')
  if lane then
    redis.call('ZREM', lane_key(lane), id)
    offer(lane)
  end
  redis.call('ZREM', P .. 'outbox', id)
  redis.call('ZREM', P .. 'outbox:due', id)
end

local function send_at(id, due)
  withdraw(id)
  redis.call('HSET', outbox_key(id), 'state', 'pending', 'due', due)
  redis.call('PERSIST', outbox_key(id))
  redis.call('ZADD', P .. 'outbox', due, id)
end

-- The message is done. Its log is kept as long as the job's record, within bounds.
local function close_message(id, state)
  withdraw(id)
  redis.call('HSET', outbox_key(id), 'state', state)
  redis.call('HDEL', outbox_key(id), 'due', 'lane')
  local life = number(redis.call('HGET', outbox_key(id), 'expires_at')) - now
  redis.call('PEXPIRE', outbox_key(id), math.max(LOG_MS_LEAST, math.min(LOG_MS_MOST, life)))
end

-- For a job that was deleted.
local function drop_message(id)
  if redis.call('EXISTS', outbox_key(id)) == 0 then return end
  withdraw(id)
  redis.call('DEL', outbox_key(id))
end
