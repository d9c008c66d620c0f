-- Remove the record of a final job whose life is over. Answers: ok | kept.

local due = tonumber(redis.call('ZSCORE', P .. 'expiring', A.job_id))
if not due or due > now then return answer('kept') end
local job = load_job(A.job_id)
redis.call('ZREM', P .. 'expiring', A.job_id)
if job then
  redis.call('ZREM', P .. 'jobs:' .. job.owner, job.id)
  redis.call('DEL', job_key(job.id), events_key(job.id))
end
return answer('ok')
