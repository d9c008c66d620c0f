-- Give the worker the best job for it, or park it. Said again with the same attempt id: the same job while it is
-- still ours. Answers: ok, record | none | paused.

local WARM_LEAD = 30    -- device-seconds that an owner may get ahead because its model is loaded
local WARM_PASSES = 8   -- times that one job may be passed over by jobs whose model is loaded
local NEWER_MOST = 20   -- records of newer code that one look goes past, in a line and among owners
local RAISED_MOST = 100 -- jobs at the front of a queue that one look goes through for one that this worker can run

local worker = A.worker

local function set_of(list)
  local set = {}
  for _, item in ipairs(list) do set[item] = true end
  return set
end

local able, warm = set_of(worker.models), set_of(worker.warm)

local function is_known(id) return number(redis.call('HGET', job_key(id), 'schema')) <= C.schema end

-- The first job of a line that this code knows how to run. During an upgrade newer records wait for newer workers.
local function head_of(queue, owner, model)
  for place = 0, NEWER_MOST do
    local head = redis.call('ZRANGE', ready_key(queue, owner, model), place, place, 'WITHSCORES')
    if not head[1] then return nil end
    if is_known(head[1]) then return head[1], tonumber(head[2]) end
  end
end

-- The best job of this model, {id, model, owner's virtual time, score}: of the least served owner that has one. Owners
-- at their running limit are set aside.
local function first_job(queue, model)
  local passed = 0
  while passed <= NEWER_MOST do
    local first = redis.call('ZRANGE', owners_key(queue, model), passed, passed, 'WITHSCORES')
    if not first[1] then return nil end
    if at_limit(first[1]) then
      block_owner(queue, first[1])
    else
      local id, score = head_of(queue, first[1], model)
      if id then return {id = id, model = model, at = tonumber(first[2]), score = score} end
      passed = passed + 1
    end
  end
end

-- The best job of each model that this worker can run.
local function candidates(queue)
  local found = {}
  for _, model in ipairs(redis.call('SMEMBERS', models_key(queue))) do
    if able[model] and not is_paused('model', model) then found[#found + 1] = first_job(queue, model) end
  end
  return found
end

local function before(a, b)
  if not b then return true end
  return a.at < b.at or (a.at == b.at and a.score < b.score)
end

local function rank(candidate) return math.floor(candidate.score / 1e13) end

-- Whether a job with a loaded model may go before the one whose turn it is. Both bounds keep anyone from starving.
local function may_pass(loaded, first)
  return loaded.at - first.at <= WARM_LEAD
    and rank(loaded) <= rank(first)
    and number(redis.call('HGET', job_key(first.id), 'passed')) < WARM_PASSES
end

local function choose(queue)
  local first, loaded = nil, nil
  for _, candidate in ipairs(candidates(queue)) do
    if before(candidate, first) then first = candidate end
    if warm[candidate.model] and before(candidate, loaded) then loaded = candidate end
  end
  if loaded and loaded.id ~= first.id and may_pass(loaded, first) then
    redis.call('HINCRBY', job_key(first.id), 'passed', 1)
    return loaded
  end
  return first
end

-- The worker's queues that have ready jobs and are not paused, least served first.
local function queues_in_order()
  local found = {}
  for place, queue in ipairs(worker.queues) do
    local at = redis.call('ZSCORE', fair_key('queues', 'active'), queue)
    if at and not is_paused('queue', queue) then found[#found + 1] = {name = queue, at = tonumber(at), place = place} end
  end
  table.sort(found, function(a, b) return a.at < b.at or (a.at == b.at and a.place < b.place) end)
  return found
end

-- Whom a ring has woken wakes the next one, as long as there is something left to do. Rings alone could miss a
-- second job that one ended job has made claimable, and the job of one queue whose ring has woken a worker that
-- then found one of another queue to be next.
local function pass_on(queue)
  if redis.call('EXISTS', park_key(queue)) == 0 then return end
  for _, model in ipairs(redis.call('SMEMBERS', models_key(queue))) do
    local job = first_job(queue, model)
    if job and ring({id = job.id, queue = queue, model = model}) then return end
  end
end

local function pass_on_all()
  for _, queue in ipairs(worker.queues) do pass_on(queue) end
end

-- A job that an operator has raised, whoever owns it and however many of theirs run.
local function raised_job()
  for _, queue in ipairs(worker.queues) do
    for _, id in ipairs(redis.call('ZRANGE', front_key(queue), 0, RAISED_MOST - 1)) do
      local job = load_job(id)
      if not job or job.place ~= 'ready' then
        redis.call('ZREM', front_key(queue), id)  -- left by code that does not know of raising
      elseif able[job.model] and not held_back(queue, job.model) and is_known(id) then
        admit_owner(queue, job.owner)
        return job
      end
    end
  end
end

local function best_job()
  for _, queue in ipairs(queues_in_order()) do
    local chosen = choose(queue.name)
    if chosen then return load_job(chosen.id) end
  end
end

local function charge(job)
  local cost = number(job.cost)
  local share = cost / setting(job.owner, 'weight')
  fair_charge('queues', job.queue, cost)
  rank_owner(job.queue, job.owner, fair_charge(owner_clock(job.queue), job.owner, share))
  redis.call('HINCRBYFLOAT', queue_key(job.queue), 'device_seconds', cost)
end

local function start(job)
  charge(job)
  move(job, 'running')
  local count_now = number(job.attempt_count) + 1
  local attempt = {id = A.attempt_id, number = count_now, worker = worker.id, device = worker.device, started_at = now}
  save(job, {
    status = 'running', attempt_id = A.attempt_id, attempt_count = count_now, progress = '', passed = 0,
    started_at = job.started_at ~= '' and job.started_at or now, weight = setting(job.owner, 'weight'),
    ['attempt:' .. count_now] = cjson.encode(attempt),
  })
  redis.call('HSET', attempt_key(A.attempt_id), 'job', job.id)
  redis.call('PEXPIRE', attempt_key(A.attempt_id), ATTEMPT_KEPT_MS)
  watch_deadline(job)
  bump(job)
  publish(job, 'job.started', cjson.encode({attempt = count_now, worker = worker.id}))
end

local earlier = redis.call('HGET', attempt_key(A.attempt_id), 'job')
if earlier then
  if held_job(earlier, A.attempt_id) then return answer('ok', record(earlier)) end
  return answer('none')
end
register(worker)
local paused = is_paused('worker', worker.id)
local job = not paused and (raised_job() or best_job())
if not job then
  redis.call('HSET', worker_key(worker.id), 'jobs', '[]')
  if paused then
    unpark(worker.id)
    pass_on_all()  -- it may have been woken in place of another
    return answer('paused')
  end
  park(worker.id)
  return answer('none')
end
unpark(worker.id)
redis.call('HSET', worker_key(worker.id), 'jobs', cjson.encode({job.id}))
start(job)
pass_on_all()
return answer('ok', record(job.id))
