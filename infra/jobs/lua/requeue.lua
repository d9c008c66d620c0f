-- End the attempt without a result. Said again: the same answer. Answers: queued | failed | cancelled | fenced.

local job = held_job(A.job_id, A.attempt_id)
if not job then
  return answer(redis.call('HGET', attempt_key(A.attempt_id), 'requeue') or 'fenced')
end
local word = retire(job, A.outcome, A.error, A.retryable, A.delay_ms)
redis.call('HSET', attempt_key(A.attempt_id), 'job', job.id, 'requeue', word)
redis.call('PEXPIRE', attempt_key(A.attempt_id), ATTEMPT_KEPT_MS)
return answer(word)
