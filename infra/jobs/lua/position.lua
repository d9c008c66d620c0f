-- Estimate of a ready job's place in its queue, if owners take turns with jobs of like cost.
-- Answers: ok, place | none.

local OWNERS_MOST = 200  -- looked at; with more, the place is too small rather than the call too slow

local job = load_job(A.job_id)
if not job or job.place ~= 'ready' then return answer('none') end

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
return answer('ok', place)
