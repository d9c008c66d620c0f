-- Places: a job that is not final stands in exactly one, named in its record.
--
--   ready    rdy:<queue>:<owner>:<model>   by priority, then age; claimable
--   delayed  delayed                       by not_before
--   waiting  waiting                       for other jobs
--   running  lease                         by the time when the lease ends
--
-- A ready job that an operator has raised stands in front:<queue> as well, the one raised last first. One that may
-- share a run stands in alike:<queue>:<owner>:<model>:<batch> as well, in the order of its line.
--
-- For ready jobs: owners:<queue>:<model> has the owners by virtual time, models:<queue> the models with such
-- owners, owned:<queue>:<owner> the models of an owner. An owner at its running limit is taken out of the first
-- two, and noted in blocked:<owner>, until one of its jobs ends.

local function ready_key(queue, owner, model) return P .. 'rdy:' .. queue .. ':' .. owner .. ':' .. model end
local function alike_key(job, owner)
  return P .. 'alike:' .. job.queue .. ':' .. (owner or job.owner) .. ':' .. job.model .. ':' .. job.batch
end
local function owners_key(queue, model) return P .. 'owners:' .. queue .. ':' .. model end
local function models_key(queue) return P .. 'models:' .. queue end
local function owned_key(queue, owner) return P .. 'owned:' .. queue .. ':' .. owner end
local function blocked_key(owner) return P .. 'blocked:' .. owner end
local function count_key(owner) return P .. 'count:' .. owner end
local function queue_key(queue) return P .. 'queue:' .. queue end
local function front_key(queue) return P .. 'front:' .. queue end
local function owner_clock(queue) return 'owner:' .. queue end

-- Whether the owner may run no more, when `more` of its jobs are about to start.
local function at_limit(owner, more)
  local most = setting(owner, 'max_running')
  if most == 0 then return false end
  return number(redis.call('HGET', count_key(owner), 'running')) + (more or 0) >= most
end

-- A job that has crashed an engine runs alone from then on, so that it takes no other down with it.
local function shares_runs(job) return job.batch ~= '' and number(job.crashes) == 0 end

-- Put an owner's virtual time wherever its ready jobs are found.
local function rank_owner(queue, owner, at)
  for _, model in ipairs(redis.call('SMEMBERS', owned_key(queue, owner))) do
    redis.call('ZADD', owners_key(queue, model), at, owner)
    redis.call('SADD', models_key(queue), model)
  end
end

local function admit_owner(queue, owner)
  redis.call('SREM', blocked_key(owner), queue)
  fair_join('queues', queue)
  rank_owner(queue, owner, fair_join(owner_clock(queue), owner))
end

local function withdraw_model(queue, owner, model)
  redis.call('ZREM', owners_key(queue, model), owner)
  if redis.call('EXISTS', owners_key(queue, model)) == 0 then redis.call('SREM', models_key(queue), model) end
end

-- After its models were withdrawn: the owner leaves its clock, and an empty queue leaves the queues' one.
local function dismiss_owner(queue, owner)
  fair_leave(owner_clock(queue), owner)
  if redis.call('EXISTS', models_key(queue)) == 0 then fair_leave('queues', queue) end
end

local function block_owner(queue, owner)
  for _, model in ipairs(redis.call('SMEMBERS', owned_key(queue, owner))) do withdraw_model(queue, owner, model) end
  dismiss_owner(queue, owner)
  redis.call('SADD', blocked_key(owner), queue)
end

local function ring_for_owner(queue, owner)
  for _, model in ipairs(redis.call('SMEMBERS', owned_key(queue, owner))) do
    local head = redis.call('ZRANGE', ready_key(queue, owner, model), 0, 0)[1]
    if ring({id = head, queue = queue, model = model}) then return true end
  end
  return false
end

-- One of the owner's jobs has ended: what the limit held back is claimable again.
local function unblock_owner(owner)
  local queues = redis.call('SMEMBERS', blocked_key(owner))
  redis.call('DEL', blocked_key(owner))
  for _, queue in ipairs(queues) do admit_owner(queue, owner) end
  for _, queue in ipairs(queues) do
    if ring_for_owner(queue, owner) then return end  -- one job fewer runs: one worker can take another
  end
end

local function enter_front(job) redis.call('ZADD', front_key(job.queue), -job.front, job.id) end

local ENTER, LEAVE = {}, {}

function ENTER.ready(job)
  redis.call('ZADD', ready_key(job.queue, job.owner, job.model), job.score, job.id)
  redis.call('ZADD', P .. 'since:' .. job.queue, now, job.id)
  redis.call('SADD', owned_key(job.queue, job.owner), job.model)
  if job.front ~= '' then enter_front(job) end
  if shares_runs(job) then redis.call('ZADD', alike_key(job), job.score, job.id) end
  if at_limit(job.owner) then
    block_owner(job.queue, job.owner)
    if job.front == '' then return end
  else
    admit_owner(job.queue, job.owner)
  end
  ring(job)
end

function LEAVE.ready(job)
  local key = ready_key(job.queue, job.owner, job.model)
  redis.call('ZREM', key, job.id)
  redis.call('ZREM', P .. 'since:' .. job.queue, job.id)
  if job.front ~= '' then redis.call('ZREM', front_key(job.queue), job.id) end
  if job.batch ~= '' then redis.call('ZREM', alike_key(job), job.id) end
  if redis.call('EXISTS', key) == 1 then return end
  withdraw_model(job.queue, job.owner, job.model)
  redis.call('SREM', owned_key(job.queue, job.owner), job.model)
  if redis.call('EXISTS', owned_key(job.queue, job.owner)) == 1 then return end
  redis.call('SREM', blocked_key(job.owner), job.queue)
  dismiss_owner(job.queue, job.owner)
end

function ENTER.delayed(job) redis.call('ZADD', P .. 'delayed', job.not_before, job.id) end
function LEAVE.delayed(job) redis.call('ZREM', P .. 'delayed', job.id) end

function ENTER.waiting(job) redis.call('ZADD', P .. 'waiting', now, job.id) end
function LEAVE.waiting(job) redis.call('ZREM', P .. 'waiting', job.id) end

function ENTER.running(job) redis.call('ZADD', P .. 'lease', now + C.lease_ms, job.id) end
function LEAVE.running(job) redis.call('ZREM', P .. 'lease', job.id) end

local function count(job, place, by)
  local state = place == 'running' and 'running' or 'queued'
  redis.call('HINCRBY', queue_key(job.queue), place, by)
  redis.call('HINCRBY', count_key(job.owner), state, by)
  redis.call('HINCRBY', P .. 'count', state, by)
end

-- Move the job to another place; '' takes it out of all.
local function move(job, place)
  local from = job.place
  save(job, {place = place})
  if from ~= '' then
    LEAVE[from](job)
    count(job, from, -1)
  end
  if place ~= '' then
    count(job, place, 1)
    ENTER[place](job)
  end
  if from == 'running' then unblock_owner(job.owner) end
end

-- The next deadline that tick has to look at: the one for the start counts until the first attempt.
local function watch_deadline(job)
  local first = tonumber(job.deadline_at)
  local start = tonumber(job.start_deadline_at)
  if start and job.started_at == '' then first = math.min(first or start, start) end
  if first then
    redis.call('ZADD', P .. 'deadlines', first, job.id)
  else
    redis.call('ZREM', P .. 'deadlines', job.id)
  end
end
