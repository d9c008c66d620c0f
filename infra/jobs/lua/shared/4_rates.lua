-- What workers achieve: rate:<queue> has, of the attempts that have ended, their number (`jobs`), their estimated cost
-- (`cost`, device-seconds) and how long they have kept workers busy (`busy`, seconds); each counts for less the longer
-- ago it was, exp(-age / C.rate_ms). `at` is when these were true, `since` when the first attempt began.

local MEASURED = {succeeded = true, failed = true, cancelled = true, timed_out = true, crashed = true}

local function rate_key(queue) return P .. 'rate:' .. queue end

-- A worker's time goes to one attempt at a time: from its start, or from the end of the one before if that was later.
-- So jobs that share a run share its time, and one that was claimed ahead is not charged for its wait.
local function busy_seconds(attempt)
  local key = worker_key(attempt.worker)
  local known, ended_at = unpack(redis.call('HMGET', key, 'seen_at', 'ended_at'))
  if known then redis.call('HSET', key, 'ended_at', now) end
  return math.max(0, now - math.max(attempt.started_at, number(ended_at))) / 1000
end

-- An attempt has ended; one that was lost or given back says nothing of what a job takes.
local function measure(job, attempt)
  if not MEASURED[attempt.outcome] then return end
  local key, busy = rate_key(job.queue), busy_seconds(attempt)
  local at, since, jobs, cost, before = unpack(redis.call('HMGET', key, 'at', 'since', 'jobs', 'cost', 'busy'))
  local kept = at and math.exp(math.min(0, at - now) / C.rate_ms) or 0
  redis.call('HSET', key, 'at', now, 'since', since or attempt.started_at, 'jobs', number(jobs) * kept + 1,
             'cost', number(cost) * kept + number(job.cost), 'busy', number(before) * kept + busy)
end

-- Device-seconds, as costs estimate them, that a worker gets through in a second; nil when nothing was measured.
local function speed(queue)
  local at, cost, busy = unpack(redis.call('HMGET', rate_key(queue), 'at', 'cost', 'busy'))
  if not at or now - at > C.rate_kept_ms or number(busy) == 0 then return nil end
  return number(cost) / number(busy)
end
