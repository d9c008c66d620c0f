-- Raise a job to the front of its queue: before all owners' jobs, until it has ended. Said again (same raise id):
-- nothing more. Answers: ok, record | missing.

local job = load_job(A.job_id)
if not job or job.delete_requested_at ~= '' then return answer('missing') end
if job.status == 'queued' and job.raise_id ~= A.raise_id then
  save(job, {raise_id = A.raise_id, front = redis.call('INCR', P .. 'sequence')})
  if job.place == 'ready' then
    enter_front(job)
    ring(job)
  end
  bump(job)
  ping(job)
end
return answer('ok', record(job.id))
