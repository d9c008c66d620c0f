-- Workers: who lives, what each can run, who is parked (idle, to be woken by a doorbell), who was rung for and is on
-- its way.

local function worker_key(id) return P .. 'w:' .. id end
local function park_key(queue) return P .. 'park:' .. queue end
local function rung_key(queue) return P .. 'rung:' .. queue end

local ON_ITS_WAY_MS = 2000  -- after a ring; by then the worker has claimed, or the ring was lost

local function worker_queues(id)
  local text = redis.call('HGET', worker_key(id), 'queues')
  return text and cjson.decode(text) or {}
end

local function unpark(id)
  for _, queue in ipairs(worker_queues(id)) do
    redis.call('ZREM', park_key(queue), id)
    redis.call('ZREM', rung_key(queue), id)
  end
end

local function park(id)
  for _, queue in ipairs(worker_queues(id)) do
    redis.call('ZADD', park_key(queue), now, id)
    redis.call('ZREM', rung_key(queue), id)
  end
end

local function can_run(id, model) return redis.call('HEXISTS', worker_key(id), 'model:' .. model) == 1 end

local function forget_worker(id)
  unpark(id)
  redis.call('DEL', worker_key(id))
  redis.call('ZREM', P .. 'workers', id)
end

-- Write the worker's card if it is new or differs (another model is warm), and renew its registration.
local function register(worker)
  local key = worker_key(worker.id)
  if redis.call('HGET', key, 'card') ~= worker.card then
    local since, ended_at = unpack(redis.call('HMGET', key, 'since', 'ended_at'))
    forget_worker(worker.id)
    redis.call('HSET', key, 'card', worker.card, 'queues', cjson.encode(worker.queues), 'since', since or now,
               'ended_at', ended_at or '')
    for _, model in ipairs(worker.models) do redis.call('HSET', key, 'model:' .. model, 1) end
    for _, queue in ipairs(worker.queues) do redis.call('SADD', P .. 'queues', queue) end
  end
  redis.call('HSET', key, 'seen_at', now)
  redis.call('ZADD', P .. 'workers', now + C.lease_ms, worker.id)
end

-- Have the longest parked worker woken that can run this job. It counts as busy from here on, so that the next
-- job rings for another one, or for nobody.
local function ring(job)
  if held_back(job.queue, job.model) then return false end
  for _, id in ipairs(redis.call('ZRANGE', park_key(job.queue), 0, -1)) do
    if can_run(id, job.model) then
      unpark(id)
      for _, queue in ipairs(worker_queues(id)) do redis.call('ZADD', rung_key(queue), now, id) end
      rings[#rings + 1] = {job.queue, job.id}
      return true
    end
  end
  return false
end
