-- Give the worker the best job for it, and jobs that can share its run, or park it. Said again with the same attempt
-- id: the same jobs, those that are still ours. Answers: ok, records | none | paused.
--
-- A.rows   the most rows that may be claimed; else the worker's card says how many rows of a model share a run
-- A.like   {model, batch} of a run: jobs that can join it, if it is their turn; the worker is busy, so nothing parks it
-- A.ahead  the worker is busy still: a job only if no idle worker could have it, and nothing parks it

local WARM_LEAD = 30    -- device-seconds that an owner may get ahead because its model is loaded
local WARM_PASSES = 8   -- times that one job may be passed over by jobs whose model is loaded
local PAST_LOADS = 2    -- and by how much at most, in loads of its model: then loading takes a third of the time at worst
local PAST_LEAST = 1    -- device-seconds that may go past it however quickly its model loads
local NEWER_MOST = 20   -- records of newer code that one look goes past, in a line and among owners
local BUCKETS = {8, 4, 2, 1}  -- rows that a run is filled up to: the largest that is full, nothing is padded
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

local function charge(job, rides)
  local cost = number(job.cost)
  local share = cost / setting(job.owner, 'weight')
  fair_charge('queues', job.queue, cost, rides)
  rank_owner(job.queue, job.owner, fair_charge(owner_clock(job.queue), job.owner, share, rides))
  redis.call('HINCRBYFLOAT', queue_key(job.queue), 'device_seconds', cost)
end

-- A worker that is busy leaves alone what an idle one could have.
local function is_others(job)
  local idle = redis.call('ZRANGE', park_key(job.queue), 0, -1)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', rung_key(job.queue), now - ON_ITS_WAY_MS, '+inf')) do
    idle[#idle + 1] = id
  end
  for _, id in ipairs(idle) do
    if can_run(id, job.model) then return true end
  end
  return false
end

local function may_take(job)
  if A.like then
    return job.model == A.like[1] and job.batch == A.like[2] and shares_runs(job) and number(job.rows) <= A.rows
  end
  return not (A.ahead and is_others(job))
end

-- For riders: whose turn is next, as if each that was found had been charged already.
local Turns = {}

function Turns.of(job)
  local turns = {owners = {}, at = {}, lines = {}, taken = {}}
  local found = redis.call('ZRANGE', owners_key(job.queue, job.model), 0, NEWER_MOST, 'WITHSCORES')
  for i = 1, #found, 2 do
    local owner = found[i]
    turns.owners[#turns.owners + 1] = owner
    turns.at[owner], turns.taken[owner] = tonumber(found[i + 1]), 0
    turns.lines[owner] = redis.call('ZRANGE', alike_key(job, owner), 0, BUCKETS[1])
  end
  return turns
end

function Turns.take(turns, job)
  if not turns.at[job.owner] then return end  -- raised: its owner's turn is far off
  turns.at[job.owner] = turns.at[job.owner] + number(job.cost) / setting(job.owner, 'weight')
  turns.taken[job.owner] = turns.taken[job.owner] + 1
end

-- The owner whose turn it is, of those that have a job to look at.
local function next_owner(turns)
  local best
  for _, owner in ipairs(turns.owners) do
    if #turns.lines[owner] > 0 and (not best or turns.at[owner] < turns.at[best]) then best = owner end
  end
  return best
end

local function may_ride(job, first, rows)
  return job.id ~= first.id and number(job.schema) <= C.schema and shares_runs(job) and number(job.rows) <= rows
end

-- The job itself and those that share its run: of as many as there are, as many as fill the largest bucket. Jobs that
-- join a run fill none. Those that share one that goes past another job are within what may go past it.
local function with_riders(first, most, passed)
  local chosen, rows, full = {first}, number(first.rows), 1
  local left = passed and left_past(passed) - number(first.cost) or math.huge
  if not shares_runs(first) then return chosen end
  local turns = Turns.of(first)
  Turns.take(turns, first)
  while rows < most do
    local owner = next_owner(turns)
    if not owner then break end
    local id = table.remove(turns.lines[owner], 1)
    local job = load_job(id)
    if not job or job.place ~= 'ready' then
      redis.call('ZREM', alike_key(first, owner), id)  -- left by code that does not know of it
    elseif at_limit(owner, turns.taken[owner]) or number(job.cost) > left then
      turns.lines[owner] = {}
    elseif may_ride(job, first, most - rows) then
      Turns.take(turns, job)
      chosen[#chosen + 1], rows, left = job, rows + number(job.rows), left - number(job.cost)
      for _, bucket in ipairs(BUCKETS) do
        if rows == bucket then full = #chosen end
      end
    end
  end
  return {unpack(chosen, 1, A.like and #chosen or full)}
end

local function note_passed(passed, jobs)
  local seconds = 0
  for _, job in ipairs(jobs) do seconds = seconds + number(job.cost) end
  redis.call('HINCRBY', job_key(passed.id), 'passed', 1)
  redis.call('HINCRBYFLOAT', job_key(passed.id), 'passed_seconds', seconds)
end

-- The attempt of the first job has the id that the worker chose; those of the others follow from it.
local function attempt_id_of(place)
  return place == 1 and A.attempt_id or string.sub(redis.sha1hex(A.attempt_id .. ':' .. place), 1, 32)
end

local function start(job, attempt_id, rides)
  charge(job, rides)
  move(job, 'running')
  local count_now = number(job.attempt_count) + 1
  local attempt = {id = attempt_id, number = count_now, worker = worker.id, device = worker.device, started_at = now}
  save(job, {
    status = 'running', attempt_id = attempt_id, attempt_count = count_now, progress = '', passed = 0, passed_seconds = 0,
    started_at = job.started_at ~= '' and job.started_at or now, weight = setting(job.owner, 'weight'),
    ['attempt:' .. count_now] = cjson.encode(attempt),
  })
  redis.call('HSET', attempt_key(attempt_id), 'job', job.id)
  redis.call('PEXPIRE', attempt_key(attempt_id), ATTEMPT_KEPT_MS)
  watch_deadline(job)
  bump(job)
  publish(job, 'job.started', cjson.encode({attempt = count_now, worker = worker.id}))
end

local function claimed_before()
  local found, place = {}, 1
  local id = redis.call('HGET', attempt_key(attempt_id_of(place)), 'job')
  if not id then return nil end
  while id do
    if held_job(id, attempt_id_of(place)) then found[#found + 1] = record(id) end
    place = place + 1
    id = redis.call('HGET', attempt_key(attempt_id_of(place)), 'job')
  end
  return found
end

local function note_jobs(new)
  local ids = {unpack(A.held)}
  for _, job in ipairs(new) do ids[#ids + 1] = job.id end
  redis.call('HSET', worker_key(worker.id), 'jobs', #ids > 0 and cjson.encode(ids) or '[]')
end

local function nothing(paused)
  note_jobs({})
  if paused then
    unpark(worker.id)
    pass_on_all()  -- it may have been woken in place of another
    return answer('paused')
  end
  if not (A.like or A.ahead) then park(worker.id) end
  return answer('none')
end

local earlier = claimed_before()
if earlier then return answer(#earlier > 0 and 'ok' or 'none', earlier) end
register(worker)
if is_paused('worker', worker.id) then return nothing(true) end
local first, passed = raised_job(), nil
if not first then first, passed = best_job() end
if not first or not may_take(first) then
  if first then pass_on_all() end
  return nothing(false)
end
local jobs = with_riders(first, A.rows or number(worker.batches[first.model]), passed)
if passed then note_passed(passed, jobs) end
unpark(worker.id)
note_jobs(jobs)
local records = {}
for place, job in ipairs(jobs) do
  start(job, attempt_id_of(place), place > 1)
  records[place] = record(job.id)
end
pass_on_all()
return answer('ok', records)
