-- A queued job's standing. Answers: ok, {place, 0 or 1, milliseconds} | none: its estimated place in its queue (0 for a
-- job that is not ready), whether a pause holds it back, and in what time it may start (-1 when that is not known).
--
-- The place follows the fair shares: before this job come its owner's own before it, and of each other owner as many as
-- are claimed until its virtual time has passed that of this job's turn. The start follows from what these cost, how
-- fast workers got through such costs of late, and what the live workers that can run this model are doing now.

-- What is looked at, so that the call stays quick; what there is beyond is taken to be like it.
local OWNERS_MOST = 50
local WORKERS_MOST = 20
local LINE_MOST = 20     -- costs of one line
local COSTS_MOST = 100   -- costs of all other owners' lines

local job = load_job(A.job_id)
if not job or job.status ~= 'queued' then return answer('none') end
local paused = held_back(job.queue, job.model)

local function cost_of(id) return number(redis.call('HGET', job_key(id), 'cost')) end

-- The mean cost of the first `count` jobs of a line, from `most` of them.
local function mean_cost(key, count, most)
  local total, looked_at = 0, math.min(count, most)
  for i = 0, looked_at - 1 do
    local place = math.floor(i * count / looked_at)
    total = total + cost_of(redis.call('ZRANGE', key, place, place)[1])
  end
  return looked_at > 0 and total / looked_at or 0
end

-- Jobs before a raised one, and their cost.
local function before_raised()
  local key = front_key(job.queue)
  local count = redis.call('ZRANK', key, job.id) or redis.call('ZCARD', key)
  return count, count * mean_cost(key, count, LINE_MOST)
end

local function own_before()
  local count, cost = 0, 0
  for _, model in ipairs(redis.call('SMEMBERS', owned_key(job.queue, job.owner))) do
    local key = ready_key(job.queue, job.owner, model)
    local found = redis.call('ZCOUNT', key, '-inf', '(' .. job.score)
    count, cost = count + found, cost + found * mean_cost(key, found, LINE_MOST)
  end
  return count, cost
end

-- Another owner's ready jobs, their mean cost from `most` of each line, and the score of the first.
local function line_of(owner, most)
  local count, cost, first, sampled = 0, 0, math.huge, 0
  for _, model in ipairs(redis.call('SMEMBERS', owned_key(job.queue, owner))) do
    local key = ready_key(job.queue, owner, model)
    local heads = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    local found = redis.call('ZCARD', key)
    count, cost = count + found, cost + found * mean_cost(key, found, most)
    first = math.min(first, tonumber(heads[2]))
  end
  return count, cost / count, first
end

-- How many of another owner's jobs are claimed until the virtual time of this job's turn.
local function turns_of(owner, at, turn, most)
  local count, cost, first = line_of(owner, most)
  local turns = (turn - at) * setting(owner, 'weight') / cost
  if turns < 0 then return 0, 0 end
  local whole = math.ceil(turns)
  if whole == turns and first < number(job.score) then whole = whole + 1 end  -- at the same time the older one goes
  return math.min(count, whole), math.min(count, whole) * cost
end

-- The other owners whose virtual time is not past this turn.
local function owners_before(turn)
  local found, key = {}, fair_key(owner_clock(job.queue), 'active')
  local active = redis.call('ZRANGEBYSCORE', key, '-inf', turn, 'WITHSCORES', 'LIMIT', 0, 1000)
  for i = 1, #active, 2 do
    if active[i] ~= job.owner then found[#found + 1] = {owner = active[i], at = tonumber(active[i + 1])} end
  end
  return found
end

local function others_before(turn)
  local count, cost = 0, 0
  local earliest = fair_now(owner_clock(job.queue)) - ARREARS_MOST
  local others = owners_before(turn)
  local looked_at = math.min(#others, OWNERS_MOST)
  local most = math.max(1, math.min(LINE_MOST, math.floor(COSTS_MOST / looked_at)))
  for i = 0, looked_at - 1 do
    local other = others[1 + math.floor(i * #others / looked_at)]
    local turns, costs = turns_of(other.owner, math.max(earliest, other.at), turn, most)
    count, cost = count + turns, cost + costs
  end
  local times = looked_at > 0 and #others / looked_at or 0
  return math.floor(count * times + 0.5), cost * times
end

-- What comes before this job: how many, and what they cost.
local function before(at)
  local count, cost = before_raised()
  if redis.call('ZSCORE', front_key(job.queue), job.id) then return count, cost end
  local own, own_cost = own_before()
  local others, others_cost = others_before(at + own_cost / setting(job.owner, 'weight'))
  return count + own + others, cost + own_cost + others_cost
end

-- When a worker will be done with what it runs, in seconds from now: as long as its jobs should take, less what has
-- passed since the first of them was claimed.
local function free_in(jobs)
  local total, began = 0, now
  for _, id in ipairs(jobs) do
    local queue, cost, number_now = unpack(redis.call('HMGET', job_key(id), 'queue', 'cost', 'attempt_count'))
    local attempt = queue and redis.call('HGET', job_key(id), 'attempt:' .. number_now)
    if attempt then
      total = total + number(cost) / (speed(queue) or math.huge)
      began = math.min(began, cjson.decode(attempt).started_at)
    end
  end
  return math.max(0, total - (now - began) / 1000)
end

local function is_waiting(queue)
  return redis.call('ZSCORE', fair_key('queues', 'active'), queue) and not is_paused('queue', queue)
end

-- A worker that serves several queues shares itself out among those that have jobs.
local function share_of(queues)
  local mine, count = false, 0
  for _, queue in ipairs(queues) do
    if queue == job.queue then mine = true end
    if queue == job.queue or is_waiting(queue) then count = count + 1 end
  end
  return mine and 1 / count or 0
end

-- The live workers that can run this job, {free_in, share} each, and how many there are for each that was looked at.
local function able_workers()
  local found, ids = {}, redis.call('ZRANGE', P .. 'workers', 0, WORKERS_MOST - 1)
  for _, id in ipairs(ids) do
    local able, queues, jobs, trouble =
      unpack(redis.call('HMGET', worker_key(id), 'model:' .. job.model, 'queues', 'jobs', 'trouble'))
    local share = able and not trouble and not is_paused('worker', id) and share_of(cjson.decode(queues)) or 0
    if share > 0 then found[#found + 1] = {free_in = free_in(cjson.decode(jobs or '[]')), share = share} end
  end
  return found, redis.call('ZCARD', P .. 'workers') / #ids
end

-- The least time in which `workers` begin more than `count` jobs, of `seconds` each: by halving.
local function start_in(workers, each, count, seconds)
  local low, high = math.huge, 0
  for _, worker in ipairs(workers) do
    low, high = math.min(low, worker.free_in), math.max(high, worker.free_in)
  end
  if count == 0 then return low end
  high = high + (count + 1) * seconds / workers[1].share
  for _ = 1, 40 do
    local middle, begun = (low + high) / 2, 0
    for _, worker in ipairs(workers) do
      local left = middle - worker.free_in
      if left >= 0 then begun = begun + each * (math.floor(left * worker.share / seconds) + 1) end
    end
    if begun > count then high = middle else low = middle end
  end
  return high
end

local function estimate(count, cost)
  local rate = speed(job.queue)
  if paused or not rate then return -1 end
  local workers, each = able_workers()
  if #workers == 0 then return -1 end
  return math.floor(start_in(workers, each, count, count > 0 and cost / count / rate or 0) * 1000 + 0.5)
end

if job.place ~= 'ready' then return answer('ok', {0, paused and 1 or 0, -1}) end
local at = redis.call('ZSCORE', fair_key(owner_clock(job.queue), 'active'), job.owner)
local count, cost = before(number(at or fair_now(owner_clock(job.queue))))
local is_held = not at and job.front == ''  -- its owner is at the running limit: whose end it waits for is not known
return answer('ok', {count + 1, paused and 1 or 0, is_held and -1 or estimate(count, cost)})
