-- Hide an archived job from its owner; the caller, or the collector, removes its objects and then what is known of it.
-- Answers: ok | missing.

local job = archived_job(A.job_id)
if not job or job.owner ~= A.owner then return answer('missing') end
note_archived(job, true)
drop_message(message_id(job.id))
redis.call('ZREM', P .. 'jobs:' .. job.owner, job.id)
redis.call('ZADD', P .. 'expiring', now, job.id)
return answer('ok')
