-- Renew the worker's registration and its leases; store progress, and the trouble that keeps the worker from work. A
-- late beat revives a lease that tick has not taken yet, so that no work is lost. Answers: ok, one word for each lease.

local function word(job)
  if not job then return 'lost' end
  if job.cancel_requested_at ~= '' then return 'cancel' end
  return job.timed_out_at ~= '' and 'timed_out' or 'ok'
end

local function store_progress(job, text)
  if not text or text == job.progress then return end
  save(job, {progress = text})
  bump(job)
  publish(job, 'job.progressed', '{"progress":' .. text .. '}')
end

register(A.worker)
local words, held = {}, {}
for i, lease in ipairs(A.leases) do
  local job = held_job(lease.job_id, lease.attempt_id)
  if job then
    redis.call('ZADD', P .. 'lease', now + C.lease_ms, job.id)
    store_progress(job, lease.progress)
    held[#held + 1] = job.id
  end
  words[i] = word(job)
end
if A.trouble then
  redis.call('HSET', worker_key(A.worker.id), 'trouble', A.trouble)
else
  redis.call('HDEL', worker_key(A.worker.id), 'trouble')
end
redis.call('HSET', worker_key(A.worker.id), 'jobs', #held > 0 and cjson.encode(held) or '[]')
return answer('ok', words)
