-- Accept all jobs or none. Said again (same idempotency key, or the same ids by the client's own retry): the same
-- jobs as they stand. Answers: new, {now, 1 for each job that a pause holds back} | ok, records | replayed, records |
-- mismatch | missing, id | owner_limit, {queued, most} |
-- system_full | too_many, burst | too_fast, seconds.

local function records(ids)
  local found = {}
  for i, id in ipairs(ids) do found[i] = record(id) end
  return found
end

local function job_ids()
  local ids = {}
  for i, job in ipairs(A.jobs) do ids[i] = job.id end
  return ids
end

local idem_key = A.key and P .. 'idem:' .. A.owner .. ':' .. A.key

local function known()
  if redis.call('EXISTS', job_key(A.jobs[1].id)) == 1 then return answer('ok', records(job_ids())) end
  local before = idem_key and redis.call('HMGET', idem_key, 'fingerprint', 'ids')
  if not before or not before[1] then return nil end
  if before[1] ~= A.fingerprint then return answer('mismatch') end
  return answer('replayed', records(cjson.decode(before[2])))
end

local function refusal()
  local given = {}
  for _, job in ipairs(A.jobs) do
    for _, id in ipairs(job.waits_for) do
      local other = load_job(id) or archived_job(id)
      local visible = other and other.owner == A.owner and other.delete_requested_at == ''
      if not given[id] and not visible then return answer('missing', id) end
    end
    given[job.id] = true
  end
  local queued, most = number(redis.call('HGET', count_key(A.owner), 'queued')), setting(A.owner, 'max_queued')
  if queued + #A.jobs > most then return answer('owner_limit', {queued, most}) end
  if number(redis.call('HGET', P .. 'count', 'queued')) + #A.jobs > C.max_queued then return answer('system_full') end
end

-- Take a token for each job out of the owner's bucket, if there are enough. A bucket of `burst` tokens that `rate` a
-- second flow into is kept as the time when it is full again, which each token taken moves on by 1 / rate.
local function slow_down()
  local rate, burst = setting(A.owner, 'rate'), setting(A.owner, 'burst')
  if rate == 0 then return nil end
  if #A.jobs > burst then return answer('too_many', burst) end
  local key, token_ms = P .. 'bucket:' .. A.owner, 1000 / rate
  local full_at = math.max(now, math.min(number(redis.call('GET', key)), now + burst * token_ms)) + #A.jobs * token_ms
  local early_ms = full_at - now - burst * token_ms - 0.01  -- numbers of this size are that exact
  if early_ms > 0 then return answer('too_fast', math.min(math.ceil(early_ms / 1000), 2^31)) end
  redis.call('SET', key, full_at, 'PX', math.min(math.ceil(full_at - now), 2^52))
end

local function after(seconds) return seconds and tostring(now + math.floor(seconds * 1000)) or '' end

-- The job as load_job would give it, before it is written.
local function born(new)
  local job = {}
  for _, name in ipairs(FIELDS) do job[name] = new.fields[name] or '' end
  job.sequence = redis.call('INCR', P .. 'sequence')
  job.score = string.format('%.0f', new.rank * 1e13 + job.sequence)
  job.start_deadline_at, job.deadline_at = after(new.start_deadline_seconds), after(new.deadline_seconds)
  return job
end

local function write(job, new)
  local flat = {'score', job.score, 'place', job.place, 'created_at', now}
  for _, name in ipairs({'start_deadline_at', 'deadline_at', 'waits_on'}) do
    if job[name] ~= '' then
      flat[#flat + 1] = name
      flat[#flat + 1] = job[name]
    end
  end
  for name, value in pairs(new.fields) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  redis.call('HSET', job_key(job.id), unpack(flat))
  redis.call('ZADD', P .. 'jobs:' .. job.owner, job.sequence, job.id)
  redis.call('ZADD', P .. 'live:' .. job.owner, job.sequence, job.id)
  redis.call('SADD', P .. 'queues', job.queue)
  redis.call('SADD', P .. 'owners', job.owner)
  if job.webhook ~= '' then redis.call('SADD', P .. 'hooked', job.id) end
end

local function note_retry(new)
  local old = new.fields.retry_of and load_job(new.fields.retry_of)
  if not old or old.owner ~= A.owner then return end
  save(old, {retried_as = new.id})
  bump(old)
  ping(old)
end

-- Whether it ended at once, with one that it waits for. Nobody is told of a new job: nobody can watch it yet.
local function create(new)
  local job = born(new)
  note_retry(new)
  local open, ended = dependencies(job, new.waits_for)
  job.place = (open > 0 or ended) and 'waiting' or 'ready'
  if open > 0 then job.waits_on = tostring(open) end
  write(job, new)
  if job.start_deadline_at ~= '' or job.deadline_at ~= '' then watch_deadline(job) end
  count(job, job.place, 1)
  ENTER[job.place](job)
  if ended then end_job(job, ended.status, inherited_error(ended)) end
  return ended ~= nil
end

local early = known() or refusal() or slow_down()
if early then return early end
local some_ended, told = false, {now}
for i, new in ipairs(A.jobs) do
  some_ended = create(new) or some_ended
  told[i + 1] = held_back(new.fields.queue, new.fields.model) and 1 or 0
end
if idem_key then
  redis.call('HSET', idem_key, 'fingerprint', A.fingerprint, 'ids', cjson.encode(job_ids()))
  redis.call('PEXPIRE', idem_key, C.idempotency_ms)
end
if some_ended then return answer('ok', records(job_ids())) end
return answer('new', told)
