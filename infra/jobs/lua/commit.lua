-- Make the attempt's files the job's result, once. The lease may have run out, as long as nobody took it back.
-- Said again: the record itself remembers. Answers: ok | cancelled | fenced.

local function full_progress(job)
  if job.progress == '' then return '' end
  local progress = cjson.decode(job.progress)
  progress.fraction = 1
  if progress.steps then progress.step = progress.steps end
  return cjson.encode(progress)
end

local job = load_job(A.job_id)
if not job or job.attempt_id ~= A.attempt_id then return answer('fenced') end
if job.status == 'succeeded' then return answer('ok') end
if job.status ~= 'running' then
  local cancelled = redis.call('HGET', attempt_key(A.attempt_id), 'commit') == 'cancelled'
  return answer(cancelled and 'cancelled' or 'fenced')
end
if job.cancel_requested_at ~= '' then
  end_attempt(job, 'cancelled')
  end_job(job, 'cancelled')
  redis.call('HSET', attempt_key(A.attempt_id), 'commit', 'cancelled')
  redis.call('PEXPIRE', attempt_key(A.attempt_id), ATTEMPT_KEPT_MS)
  return answer('cancelled')
end
end_attempt(job, 'succeeded')
save(job, {manifest = A.manifest, manifest_sha256 = A.manifest_sha256, artifacts = A.artifacts,
           progress = full_progress(job)})
end_job(job, 'succeeded')
return answer('ok')
