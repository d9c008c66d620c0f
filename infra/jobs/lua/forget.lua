-- Remove what is known of a final job whose life is over, be its record here or archived. Answers: ok | kept.

local due = tonumber(redis.call('ZSCORE', P .. 'expiring', A.job_id))
if not due or due > now then return answer('kept') end
local job = load_job(A.job_id) or archived_job(A.job_id)
redis.call('ZREM', P .. 'expiring', A.job_id)
redis.call('ZREM', P .. 'finished', A.job_id)
if job then
  redis.call('ZREM', P .. 'jobs:' .. job.owner, A.job_id)
  redis.call('HDEL', P .. 'archived', A.job_id)
  redis.call('DEL', job_key(A.job_id), events_key(A.job_id))
end
return answer('ok')
