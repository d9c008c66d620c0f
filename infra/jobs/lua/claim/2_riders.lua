-- For claim: whether a busy worker may take the chosen job, and which jobs share its run.

local BUCKETS = {8, 4, 2, 1}  -- rows that a run is filled up to: the largest that is full, nothing is padded

-- A worker that is busy leaves alone what an idle one could have.
local function is_others(job)
  local idle = redis.call('ZRANGE', park_key(job.queue), 0, -1)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', rung_key(job.queue), now - ON_ITS_WAY_MS, '+inf')) do
    idle[#idle + 1] = id
  end
  for _, id in ipairs(idle) do
    if can_run(id, job.model) then return true end
  end
  return false
end

local function may_take(job)
  if A.like then
    return job.model == A.like[1] and job.batch == A.like[2] and shares_runs(job) and number(job.rows) <= A.rows
  end
  return not (A.ahead and is_others(job))
end

-- For riders: whose turn is next, as if each that was found had been charged already.
local Turns = {}

function Turns.of(job)
  local turns = {owners = {}, at = {}, lines = {}, taken = {}}
  local found = redis.call('ZRANGE', owners_key(job.queue, job.model), 0, NEWER_MOST, 'WITHSCORES')
  for i = 1, #found, 2 do
    local owner = found[i]
    turns.owners[#turns.owners + 1] = owner
    turns.at[owner], turns.taken[owner] = tonumber(found[i + 1]), 0
    turns.lines[owner] = redis.call('ZRANGE', alike_key(job, owner), 0, BUCKETS[1])
  end
  return turns
end

function Turns.take(turns, job)
  if not turns.at[job.owner] then return end  -- raised: its owner's turn is far off
  turns.at[job.owner] = turns.at[job.owner] + number(job.cost) / setting(job.owner, 'weight')
  turns.taken[job.owner] = turns.taken[job.owner] + 1
end

-- The owner whose turn it is, of those that have a job to look at.
local function next_owner(turns)
  local best
  for _, owner in ipairs(turns.owners) do
    if #turns.lines[owner] > 0 and (not best or turns.at[owner] < turns.at[best]) then best = owner end
  end
  return best
end

local function may_ride(job, first, rows)
  return job.id ~= first.id and number(job.schema) <= C.schema and shares_runs(job) and number(job.rows) <= rows
end

-- The job itself and those that share its run: of as many as there are, as many as fill the largest bucket. Jobs that
-- join a run fill none. Those that share one that goes past another job are within what may go past it.
local function with_riders(first, most, passed)
  local chosen, rows, full = {first}, number(first.rows), 1
  local left = passed and left_past(passed) - number(first.cost) or math.huge
  if not shares_runs(first) then return chosen end
  local turns = Turns.of(first)
  Turns.take(turns, first)
  while rows < most do
    local owner = next_owner(turns)
    if not owner then break end
    local id = table.remove(turns.lines[owner], 1)
    local job = load_job(id)
    if not job or job.place ~= 'ready' then
      redis.call('ZREM', alike_key(first, owner), id)  -- left by code that does not know of it
    elseif at_limit(owner, turns.taken[owner]) or number(job.cost) > left then
      turns.lines[owner] = {}
    elseif may_ride(job, first, most - rows) then
      Turns.take(turns, job)
      chosen[#chosen + 1], rows, left = job, rows + number(job.rows), left - number(job.cost)
      for _, bucket in ipairs(BUCKETS) do
        if rows == bucket then full = #chosen end
      end
    end
  end
  return {unpack(chosen, 1, A.like and #chosen or full)}
end

local function note_passed(passed, jobs)
  local seconds = 0
  for _, job in ipairs(jobs) do seconds = seconds + number(job.cost) end
  redis.call('HINCRBY', job_key(passed.id), 'passed', 1)
  redis.call('HINCRBYFLOAT', job_key(passed.id), 'passed_seconds', seconds)
end
