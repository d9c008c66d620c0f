-- For claim: the job whose turn it is, or one whose model is loaded, within bounds that keep anyone from starving.

local WARM_LEAD = 30    -- device-seconds that an owner may get ahead because its model is loaded
local WARM_PASSES = 8   -- times that one job may be passed over by jobs whose model is loaded
local PAST_LOADS = 2    -- and by how much at most, in loads of its model: then loading takes a third of the time at worst
local PAST_LEAST = 1    -- device-seconds that may go past it however quickly its model loads
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

-- Device-seconds that may go past a job of this model. What this worker has not loaded yet may take as long as what it
-- has; a worker that has loaded nothing knows no better than WARM_LEAD.
local function most_past(model)
  local loads, longest = worker.loads or {}, 0
  for _, seconds in pairs(loads) do longest = math.max(longest, seconds) end
  if longest == 0 then return WARM_LEAD end
  return math.max(PAST_LEAST, PAST_LOADS * (loads[model] or longest))
end

-- Device-seconds that may still go past a job.
local function left_past(first)
  return most_past(first.model) - number(redis.call('HGET', job_key(first.id), 'passed_seconds'))
end

-- Whether a job with a loaded model may go before the one whose turn it is. All bounds keep anyone from starving.
local function may_pass(loaded, first)
  return loaded.at - first.at <= WARM_LEAD
    and rank(loaded) <= rank(first)
    and number(redis.call('HGET', job_key(first.id), 'passed')) < WARM_PASSES
    and number(redis.call('HGET', job_key(loaded.id), 'cost')) <= left_past(first)
end

-- The best job of the queue, and the one that was passed over for it.
local function choose(queue)
  local first, loaded = nil, nil
  for _, candidate in ipairs(candidates(queue)) do
    if before(candidate, first) then first = candidate end
    if warm[candidate.model] and before(candidate, loaded) then loaded = candidate end
  end
  if loaded and loaded.id ~= first.id and may_pass(loaded, first) then
    return loaded, first
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
    local chosen, passed = choose(queue.name)
    if chosen then return load_job(chosen.id), passed end
  end
end
