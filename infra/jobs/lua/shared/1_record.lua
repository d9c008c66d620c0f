-- Put before every script: arguments, clock, the record, events.
--
-- KEYS[1]  prefix of every key, with the one hash tag: other keys are built from it, in the same slot
-- ARGV[1]  JSON: limits, and the texts of the queue's own errors
-- ARGV[2]  JSON: the arguments of this call by name; one that is None is left out
--
-- A script answers {word, value, rings}: rings are {queue, job} pairs for which a worker should be woken.
-- In a record the empty string means "none".

local P = KEYS[1]
local C = cjson.decode(ARGV[1])
local A = cjson.decode(ARGV[2])
local rings = {}

local function clock()
  local time = redis.call('TIME')
  local skew = redis.call('GET', P .. 'skew')  -- set by tests only, to move the clock
  return time[1] * 1000 + math.floor(time[2] / 1000) + (tonumber(skew) or 0)
end

local now = clock()

local function answer(word, value)
  return {word, value or '', rings}
end

local function job_key(id) return P .. 'j:' .. id end
local function events_key(id) return P .. 'ev:' .. id end

local FIELDS = {
  'id', 'schema', 'owner', 'queue', 'kind', 'model', 'status', 'place', 'version', 'score', 'cost', 'weight',
  'attempt_count', 'attempt_id', 'progress', 'waits_on', 'passed', 'fails', 'crashes', 'losses', 'max_attempts', 'started_at',
  'finished_at', 'expires_in_seconds', 'expires_at', 'start_deadline_at', 'deadline_at', 'cancel_requested_at',
  'delete_requested_at', 'timed_out_at', 'emit_id', 'cancel_id', 'webhook', 'front', 'raise_id', 'batch', 'rows',
}

-- What transitions need of a record, all as text; nil when there is none.
local function load_job(id)
  local values = redis.call('HMGET', job_key(id), unpack(FIELDS))
  if not values[1] then return nil end
  local job = {}
  for i, name in ipairs(FIELDS) do job[name] = values[i] or '' end
  return job
end

-- The job, if it runs under this attempt: the fence that every worker's call has to pass.
local function held_job(id, attempt_id)
  local job = load_job(id)
  if job and job.status == 'running' and job.attempt_id == attempt_id then return job end
  return nil
end

local function record(id)
  return redis.call('HGETALL', job_key(id))
end

-- What is known here of a job whose record was moved to the storage, with fields as of load_job; nil when it was not
-- moved.
local function archived_job(id)
  local text = redis.call('HGET', P .. 'archived', id)
  if not text then return nil end
  local job = cjson.decode(text)
  job.id, job.place, job.delete_requested_at = id, '', job.deleted and '1' or ''
  return job
end

local function note_archived(job, deleted)
  local known = {owner = job.owner, status = job.status, kind = job.kind, model = job.model, deleted = deleted}
  redis.call('HSET', P .. 'archived', job.id, cjson.encode(known))
end

local function save(job, changes)
  local flat = {}
  for name, value in pairs(changes) do
    job[name] = tostring(value)
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  redis.call('HSET', job_key(job.id), unpack(flat))
end

local function number(text) return tonumber(text) or 0 end

-- Wakes whoever watches the job; it reads the record or the stream.
local function ping(job)
  redis.call('PUBLISH', P .. 'ev', job.id)
end

-- Every change of a record ends with this.
local function bump(job)
  job.version = tostring(redis.call('HINCRBY', job_key(job.id), 'version', 1))
end

-- Append to the job's stream, which begins with the first claim: until then the record alone tells it all.
-- `data` is the JSON text of an object; version and status are put into it.
local function publish(job, event, data)
  if job.started_at ~= '' then
    local head = '{"version":' .. job.version .. ',"status":"' .. job.status .. '"'
    local rest = (data and data ~= '{}') and (',' .. string.sub(data, 2)) or '}'
    redis.call('XADD', events_key(job.id), 'MAXLEN', '~', C.events_max, '*', 'type', event, 'data', head .. rest)
  end
  ping(job)
end

-- The JSON text of one of the queue's own errors.
local function fault(kind, detail)
  local found = cjson.decode(C.faults[kind])
  if detail then found.detail = detail end
  return cjson.encode(found)
end
