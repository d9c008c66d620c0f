-- Take a final record off the state server, after it was written to the storage as of this version. It stays in its
-- owner's list and among those that expire. Said again: the same answer.
-- Answers: ok | changed (write it again) | gone (it was deleted, or its life is over).

local job = load_job(A.job_id)
if not job then
  redis.call('ZREM', P .. 'finished', A.job_id)
  local known = archived_job(A.job_id)
  return answer(known and not known.deleted and 'ok' or 'gone')
end
if job.delete_requested_at ~= '' then
  redis.call('ZREM', P .. 'finished', job.id)
  return answer('gone')
end
local untold = redis.call('SISMEMBER', P .. 'hooked', job.id) == 1  -- tick needs the record to tell its webhook
if job.place ~= '' or job.version ~= A.version or untold then return answer('changed') end
redis.call('ZREM', P .. 'finished', job.id)
note_archived(job)
redis.call('DEL', job_key(job.id), events_key(job.id))
return answer('ok')
