-- One page of an owner's jobs, newest first; of an archived one only {'archived', id}.
-- Answers: cursor of the next page or '', records.

local SCANNED_MOST = 1000  -- records looked at in one call, however few match

local function matches(value_of)
  for name, value in pairs(A.filters) do
    if value_of(name) ~= value then return false end
  end
  return true
end

-- What the page shows of a job; nil when it does not match.
local function row(id)
  if redis.call('EXISTS', job_key(id)) == 1 then
    local here = matches(function(name) return redis.call('HGET', job_key(id), name) end)
    return here and record(id) or nil
  end
  local archived = archived_job(id)
  local there = archived and matches(function(name) return archived[name] end)
  return there and {'archived', id} or nil
end

local from = A.cursor and '(' .. A.cursor or '+inf'
local rows = redis.call('ZREVRANGEBYSCORE', P .. 'jobs:' .. A.owner, from, '-inf', 'WITHSCORES',
                        'LIMIT', 0, (next(A.filters) and SCANNED_MOST or A.limit) + 1)
local found, last = {}, ''
for i = 1, #rows, 2 do
  if #found == A.limit or i > 2 * SCANNED_MOST then return answer(last, found) end
  found[#found + 1] = row(rows[i])
  last = rows[i + 1]
end
return answer('', found)
