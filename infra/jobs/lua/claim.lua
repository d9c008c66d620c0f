-- Give the worker the best job for it, and jobs that can share its run, or park it. Said again with the same attempt
-- id: the same jobs, those that are still ours. Answers: ok, records | none | paused.
--
-- A.rows   the most rows that may be claimed; else the worker's card says how many rows of a model share a run
-- A.like   {model, batch} of a run: jobs that can join it, if it is their turn; the worker is busy, so nothing parks it
-- A.ahead  the worker is busy still: a job only if no idle worker could have it, and nothing parks it

local function charge(job, rides)
  local cost = number(job.cost)
  local share = cost / setting(job.owner, 'weight')
  fair_charge('queues', job.queue, cost, rides)
  rank_owner(job.queue, job.owner, fair_charge(owner_clock(job.queue), job.owner, share, rides))
  redis.call('HINCRBYFLOAT', queue_key(job.queue), 'device_seconds', cost)
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

-- A record as JSON: one text, which clients read much faster than its hundred words.
local function told(id) return cjson.encode(record(id)) end

local function claimed_before()
  local found, place = {}, 1
  local id = redis.call('HGET', attempt_key(attempt_id_of(place)), 'job')
  if not id then return nil end
  while id do
    if held_job(id, attempt_id_of(place)) then found[#found + 1] = told(id) end
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
  records[place] = told(job.id)
end
pass_on_all()
return answer('ok', records)
