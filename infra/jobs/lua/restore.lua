-- Give a record that a backup has brought its place, as if its attempt had been given back. Said again: nothing more.
-- Jobs that it waits for must have been given theirs. Answers: ok.

local function restore_final(job)
  if redis.call('ZSCORE', P .. 'expiring', job.id) then return end
  local times = redis.call('HMGET', job_key(job.id), 'expires_at', 'finished_at')
  redis.call('ZADD', P .. 'expiring', job.delete_requested_at ~= '' and now or times[1], job.id)
  if number(job.schema) > 1 then redis.call('ZADD', P .. 'finished', times[2], job.id) end
  if tonumber(times[2]) > A.cut_at then redis.call('HINCRBY', queue_key(job.queue), job.status, 1) end
end

local function give_back(job)
  redis.call('ZREM', P .. 'lease', job.id)  -- a worker that still runs it may have beaten before this
  end_attempt(job, 'released')
  save(job, {status = 'queued', attempt_id = '', progress = ''})
  bump(job)
  publish(job, 'job.queued')
end

local function restore_queued(job)
  local open, ended = dependencies(job, cjson.decode(redis.call('HGET', job_key(job.id), 'waits_for')))
  save(job, {waits_on = open, not_before = redis.call('HGET', job_key(job.id), 'not_before') or ''})
  watch_deadline(job)
  if ended or open > 0 then
    save(job, {not_before = ''})
    move(job, 'waiting')
    if ended then end_job(job, ended.status, inherited_error(ended)) end
  else
    move(job, job.not_before ~= '' and 'delayed' or 'ready')
  end
end

local function restore_live(job)
  if job.webhook ~= '' then redis.call('SADD', P .. 'hooked', job.id) end
  if job.status == 'running' then give_back(job) end
  if job.cancel_requested_at ~= '' then return end_job(job, 'cancelled') end
  if job.timed_out_at ~= '' then return fail(job, fault('deadline_exceeded')) end
  restore_queued(job)
end

local job = load_job(A.job_id)
if not job then return answer('ok') end
local sequence = number(job.score) % 1e13
redis.call('SADD', P .. 'queues', job.queue)
redis.call('SADD', P .. 'owners', job.owner)
if job.delete_requested_at == '' then redis.call('ZADD', P .. 'jobs:' .. job.owner, sequence, job.id) end
if job.status ~= 'queued' and job.status ~= 'running' then
  restore_final(job)
else
  redis.call('ZADD', P .. 'live:' .. job.owner, sequence, job.id)
  if job.place == '' then restore_live(job) end
end
return answer('ok')
