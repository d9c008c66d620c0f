-- Cancel a queued job, flag a running one, leave a final one. With filters, only a job that matches. Said again (same
-- cancel id): the same word, so that a bulk call counts right. Answers: cancelled | asked | unchanged, record | missing.

local function matches(job)
  for name, value in pairs(A.filters) do
    if job[name] ~= value then return false end
  end
  return true
end

local job = load_job(A.job_id)
if not job or job.owner ~= A.owner or job.delete_requested_at ~= '' then return answer('missing') end
if job.cancel_id == A.cancel_id then
  return answer(job.place == '' and 'cancelled' or 'asked', record(job.id))
end
if not matches(job) or job.place == '' or job.cancel_requested_at ~= '' then
  return answer('unchanged', record(job.id))
end
save(job, {cancel_requested_at = now, cancel_id = A.cancel_id})
if job.status == 'queued' then
  end_job(job, 'cancelled')
  return answer('cancelled', record(job.id))
end
bump(job)
ping(job)
return answer('asked', record(job.id))
