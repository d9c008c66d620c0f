-- Look at the clocks: lost leases, due jobs, deadlines, silent workers. Any number of processes may call it.
-- Answers: grace | ok, {lost ids, number of due, overdue ids, workers gone}.

local function due(key)
  return redis.call('ZRANGEBYSCORE', P .. key, '-inf', now, 'LIMIT', 0, C.tick_batch)
end

-- If nobody ticked for long, or the clock went back, then the state server was away or its clock jumped, and every
-- lease looks expired though its worker may be well. Renew them all and take none.
local function needs_grace()
  local last = tonumber(redis.call('GET', P .. 'ticked_at'))
  redis.call('SET', P .. 'ticked_at', now)
  return not last or now < last or now - last > C.gap_ms
end

local function renew_all()
  for _, key in ipairs({'lease', 'workers'}) do
    for _, id in ipairs(redis.call('ZRANGE', P .. key, 0, -1)) do
      redis.call('ZADD', P .. key, now + C.lease_ms, id)
    end
  end
end

local function rescue()
  local lost = due('lease')
  for _, id in ipairs(lost) do retire(load_job(id), 'lost') end
  return lost
end

local function ready_due()
  local ids = due('delayed')
  for _, id in ipairs(ids) do
    local job = load_job(id)
    save(job, {not_before = ''})
    move(job, 'ready')
    bump(job)
    ping(job)
  end
  return #ids
end

local function enforce(job)
  redis.call('ZREM', P .. 'deadlines', job.id)
  if job.status == 'running' then
    save(job, {timed_out_at = now})
    bump(job)
    ping(job)
  elseif (tonumber(job.deadline_at) or math.huge) <= now then
    fail(job, fault('deadline_exceeded'))
  else
    fail(job, fault('start_deadline_exceeded'))
  end
end

local function enforce_deadlines()
  local ids = due('deadlines')
  local overdue = {}
  for _, id in ipairs(ids) do
    local job = load_job(id)
    if job.place ~= '' then  -- an earlier one may have ended it: it waited for that
      enforce(job)
      overdue[#overdue + 1] = id
    end
  end
  return overdue
end

local function drop_workers()
  local gone = due('workers')
  for _, id in ipairs(gone) do forget_worker(id) end
  return gone
end

-- Webhook jobs that code of schema 1 has ended: some are looked at each time, the next ones the next time.
local function tell_untold()
  local cursor = redis.call('GET', P .. 'hooked:cursor') or '0'
  local next_cursor, ids = unpack(redis.call('SSCAN', P .. 'hooked', cursor, 'COUNT', C.tick_hooked))
  redis.call('SET', P .. 'hooked:cursor', next_cursor)
  for _, id in ipairs(ids) do
    local place = redis.call('HGET', job_key(id), 'place')
    if not place then
      redis.call('SREM', P .. 'hooked', id)
    elseif place == '' then
      tell(load_job(id))
    end
  end
end

if needs_grace() then
  renew_all()
  return answer('grace')
end
tell_untold()
return answer('ok', {rescue(), ready_due(), enforce_deadlines(), drop_workers()})
