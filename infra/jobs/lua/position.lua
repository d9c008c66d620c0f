-- A queued job's standing: estimate of a ready one's place in its queue, if owners take turns with jobs of like cost
-- (0 for one that is not ready), and whether it is held back by a pause. Answers: ok, {place, 0 or 1} | none.

local OWNERS_MOST = 200  -- looked at; with more, the place is too small rather than the call too slow

local job = load_job(A.job_id)
if not job or job.status ~= 'queued' then return answer('none') end

local paused = held_back(job.queue, job.model) and 1 or 0
if job.place ~= 'ready' then return answer('ok', {0, paused}) end

local raised = redis.call('ZRANK', front_key(job.queue), job.id)
if raised then return answer('ok', {raised + 1, paused}) end

local function ready_jobs(owner, below)
  local total = 0
  for _, model in ipairs(redis.call('SMEMBERS', owned_key(job.queue, owner))) do
    total = total + redis.call('ZCOUNT', ready_key(job.queue, owner, model), '-inf', below)
  end
  return total
end

local active = fair_key(owner_clock(job.queue), 'active')
local mine = tonumber(redis.call('ZSCORE', active, job.owner) or math.huge)
local own = ready_jobs(job.owner, '(' .. job.score)
local place = own + 1
local others = redis.call('ZRANGE', active, 0, OWNERS_MOST, 'WITHSCORES')
for i = 1, #others, 2 do
  if others[i] ~= job.owner then
    local turns = own + (tonumber(others[i + 1]) < mine and 1 or 0)
    place = place + math.min(ready_jobs(others[i], '+inf'), turns)
  end
end
return answer('ok', {place + redis.call('ZCARD', front_key(job.queue)), paused})
