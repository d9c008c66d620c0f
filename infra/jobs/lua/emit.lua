-- Append an event to the stream of a running job. Said again (same emit id): nothing more. Answers: ok | lost.

local job = held_job(A.job_id, A.attempt_id)
if not job then return answer('lost') end
if job.emit_id ~= A.emit_id then
  save(job, {emit_id = A.emit_id})
  publish(job, A.event, A.data)
end
return answer('ok')
