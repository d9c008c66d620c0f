-- Hide the job from its owner, and stop it. Answers: final, record | running | missing.

local job = load_job(A.job_id)
if not job or job.owner ~= A.owner then return answer('missing') end
if job.delete_requested_at == '' then
  save(job, {delete_requested_at = now})
  drop_message(message_id(job.id))
  redis.call('ZREM', P .. 'jobs:' .. job.owner, job.id)
  if job.place == '' then
    redis.call('ZADD', P .. 'expiring', now, job.id)
  elseif job.status == 'queued' then
    end_job(job, 'cancelled')
  else
    save(job, {cancel_requested_at = now})
  end
  bump(job)
  ping(job)
end
if job.place ~= '' then return answer('running') end
return answer('final', record(job.id))
