-- How attempts and jobs end, and what follows for the jobs that wait for them.

local function attempt_key(id) return P .. 'a:' .. id end
local function dependants_key(id) return P .. 'dep:' .. id end

local ATTEMPT_KEPT_MS = 3600 * 1000  -- how long a worker may repeat a call about an attempt and be told the same

local function end_attempt(job, outcome, error_text)
  local field = 'attempt:' .. job.attempt_count
  local attempt = cjson.decode(redis.call('HGET', job_key(job.id), field))
  attempt.ended_at = now
  attempt.outcome = outcome
  attempt.error = error_text  -- JSON text within JSON: decoding and encoding here could change it
  save(job, {[field] = cjson.encode(attempt)})
  measure(job, attempt)
end

local function message_id(job_id) return 'msg_' .. string.sub(job_id, 5) end
local function outbox_key(id) return P .. 'outbox:' .. id end

-- Put what became of a final job into the outbox, for its webhook. Said again: nothing more. `hooked` has the jobs
-- that are still to be told of: code of schema 1 ends jobs without telling, and tick makes up for it.
local function tell(job)
  if job.finished_at == '' then return end  -- a restore has written it, and has yet to give it its place
  redis.call('SREM', P .. 'hooked', job.id)
  if job.webhook == '' or job.delete_requested_at ~= '' then return end
  local id = message_id(job.id)
  if redis.call('EXISTS', outbox_key(id)) == 1 then return end
  redis.call('HSET', outbox_key(id), 'id', id, 'owner', job.owner, 'job', job.id, 'type', 'job.' .. job.status,
             'status', job.status, 'kind', job.kind, 'model', job.model, 'version', job.version,
             'at', job.finished_at, 'expires_at', job.expires_at, 'webhook', job.webhook, 'attempts', 0)
  redis.call('ZADD', P .. 'outbox', now, id)
end

local function close_job(job, status, error_text)
  move(job, '')
  save(job, {status = status, error = error_text or '', finished_at = now, not_before = '',
             expires_at = now + job.expires_in_seconds * 1000})
  bump(job)
  publish(job, 'job.' .. status)
  redis.call('PEXPIRE', events_key(job.id), C.events_keep_ms)
  redis.call('ZREM', P .. 'deadlines', job.id)
  redis.call('ZREM', P .. 'live:' .. job.owner, job.id)
  redis.call('ZADD', P .. 'expiring', job.delete_requested_at ~= '' and now or job.expires_at, job.id)
  -- A record of schema 1 stays here: collectors of that release take the files of archived jobs for leftovers.
  if number(job.schema) > 1 then redis.call('ZADD', P .. 'finished', now, job.id) end
  redis.call('HINCRBY', queue_key(job.queue), status, 1)
  tell(job)
end

-- The error of a job that waited for this one; none when this one was cancelled.
local function inherited_error(ended)
  if ended.status ~= 'failed' then return nil end
  return fault('dependency_failed', 'Job ' .. ended.id .. ' failed.')
end

-- How many jobs it must still wait for, and the first one that will never succeed. One that is not final and has
-- no place yet is about to be restored.
local function dependencies(job, waits_for)
  local open, ended = 0, nil
  for _, id in ipairs(waits_for) do
    local other = load_job(id) or archived_job(id)
    if other and (other.place ~= '' or other.status == 'queued' or other.status == 'running') then
      open = open + redis.call('SADD', dependants_key(id), job.id)
    elseif other and other.status ~= 'succeeded' then
      ended = ended or other
    end
  end
  return open, ended
end

local function ready_after_one_more(dependant)
  save(dependant, {waits_on = number(dependant.waits_on) - 1})
  if dependant.waits_on == '0' then
    move(dependant, 'ready')
    bump(dependant)
    ping(dependant)
  end
end

-- Make the job final. Jobs that waited for it become ready, fail or are cancelled with it, and so on.
local function end_job(job, status, error_text)
  close_job(job, status, error_text)
  local ended = {job}
  while #ended > 0 do
    local next_one = table.remove(ended)
    for _, id in ipairs(redis.call('SMEMBERS', dependants_key(next_one.id))) do
      local dependant = load_job(id)
      if dependant and dependant.place == 'waiting' then
        if next_one.status == 'succeeded' then
          ready_after_one_more(dependant)
        else
          close_job(dependant, next_one.status, inherited_error(next_one))
          ended[#ended + 1] = dependant
        end
      end
    end
    redis.call('DEL', dependants_key(next_one.id))
  end
end

local function queue_again(job, delay_ms)
  save(job, {status = 'queued', attempt_id = '', progress = '', not_before = delay_ms > 0 and now + delay_ms or ''})
  move(job, delay_ms > 0 and 'delayed' or 'ready')
  watch_deadline(job)
  bump(job)
  publish(job, 'job.queued')
  return 'queued'
end

local function fail(job, error_text)
  end_job(job, 'failed', error_text)
  return 'failed'
end

-- Between three and five quarters of it: jobs that failed together do not all come back together. The attempt's id
-- decides, so that the script said again does the same again.
local function jittered(pause_ms, attempt_id)
  local fraction = tonumber(string.sub(redis.sha1hex(attempt_id), 1, 8), 16) / 2^32
  return math.floor(pause_ms * (0.75 + fraction / 2))
end

-- The first accident is taken for bad luck, the next ones wait, so that a poisonous job cannot occupy all workers.
local ACCIDENT_DELAY_MS = 5000

local function after_accident(job, counter, limit, kind)
  local times = number(job[counter]) + 1
  save(job, {[counter] = times})
  if times >= limit then return fail(job, fault(kind, 'This happened ' .. times .. ' times.')) end
  return queue_again(job, times > 1 and jittered(ACCIDENT_DELAY_MS, job.attempt_id) or 0)
end

local function after_failure(job, error_text, retryable, delay_ms)
  local times = number(job.fails) + 1
  save(job, {fails = times})
  if not retryable or times >= number(job.max_attempts) then return fail(job, error_text) end
  return queue_again(job, delay_ms or jittered(math.min(60, 2 ^ (times - 1)) * 1000, job.attempt_id))
end

local function after_release(job)
  fair_refund('queues', job.queue, number(job.cost))
  fair_refund(owner_clock(job.queue), job.owner, number(job.cost) / number(job.weight))
  redis.call('HINCRBYFLOAT', queue_key(job.queue), 'device_seconds', -number(job.cost))
  return queue_again(job, 0)
end

-- End the attempt of a running job that brought no result. A cancel request and a missed deadline come first,
-- whatever the attempt died of.
local function retire(job, outcome, error_text, retryable, delay_ms)
  end_attempt(job, outcome, error_text)
  if job.cancel_requested_at ~= '' or outcome == 'cancelled' then
    end_job(job, 'cancelled')
    return 'cancelled'
  end
  if outcome == 'timed_out' then return fail(job, error_text or fault('deadline_exceeded')) end
  if job.timed_out_at ~= '' then return fail(job, fault('deadline_exceeded')) end
  if outcome == 'crashed' then return after_accident(job, 'crashes', C.max_crashes, 'worker_crashed') end
  if outcome == 'lost' then return after_accident(job, 'losses', C.max_losses, 'worker_lost') end
  if outcome == 'released' then return after_release(job) end
  return after_failure(job, error_text, retryable, delay_ms)
end
