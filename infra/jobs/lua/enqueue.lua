-- Accept all jobs or none. Said again (same idempotency key, or the same ids by the client's own retry): the same
-- jobs as they stand. Answers: ok | replayed | mismatch; records. Or missing, id | owner_limit, {queued, most} |
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

local function after(seconds) return seconds and now + math.floor(seconds * 1000) or '' end

local function write(new)
  local sequence = redis.call('INCR', P .. 'sequence')
  local flat = {'score', new.rank * 1e13 + sequence, 'place', '', 'created_at', now,
                'start_deadline_at', after(new.start_deadline_seconds), 'deadline_at', after(new.deadline_seconds)}
  for name, value in pairs(new.fields) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  redis.call('HSET', job_key(new.id), unpack(flat))
  redis.call('ZADD', P .. 'jobs:' .. A.owner, sequence, new.id)
  redis.call('ZADD', P .. 'live:' .. A.owner, sequence, new.id)
  redis.call('SADD', P .. 'queues', new.fields.queue)
  redis.call('SADD', P .. 'owners', A.owner)
  if new.fields.webhook then redis.call('SADD', P .. 'hooked', new.id) end
  return load_job(new.id)
end

local function note_retry(new)
  local old = new.fields.retry_of and load_job(new.fields.retry_of)
  if not old or old.owner ~= A.owner then return end
  save(old, {retried_as = new.id})
  bump(old)
  ping(old)
end

local function create(new)
  local job = write(new)
  note_retry(new)
  local open, ended = dependencies(job, new.waits_for)
  save(job, {waits_on = open})
  watch_deadline(job)
  move(job, (open > 0 or ended) and 'waiting' or 'ready')
  if ended then
    end_job(job, ended.status, inherited_error(ended))
  else
    ping(job)
  end
end

local early = known() or refusal() or slow_down()
if early then return early end
for _, new in ipairs(A.jobs) do create(new) end
if idem_key then
  redis.call('HSET', idem_key, 'fingerprint', A.fingerprint, 'ids', cjson.encode(job_ids()))
  redis.call('PEXPIRE', idem_key, C.idempotency_ms)
end
return answer('ok', records(job_ids()))
