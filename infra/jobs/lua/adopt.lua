-- Know an archived job again, of which the storage has the record and the state server has lost everything.
-- Answers: ok | known.

if load_job(A.job.id) or archived_job(A.job.id) then return answer('known') end
note_archived(A.job, A.job.deleted)
redis.call('SADD', P .. 'owners', A.job.owner)
if not A.job.deleted then redis.call('ZADD', P .. 'jobs:' .. A.job.owner, A.sequence, A.job.id) end
redis.call('ZADD', P .. 'expiring', A.expires_at, A.job.id)
if number(redis.call('GET', P .. 'sequence')) < A.sequence then  -- so that new jobs are listed before it
  redis.call('SET', P .. 'sequence', A.sequence)
end
return answer('ok')
