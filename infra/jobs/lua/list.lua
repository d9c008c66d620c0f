-- One page of an owner's jobs, newest first. Answers: cursor of the next page or '', records.

local SCANNED_MOST = 1000  -- records looked at in one call, however few match

local function matches(id)
  for name, value in pairs(A.filters) do
    if redis.call('HGET', job_key(id), name) ~= value then return false end
  end
  return true
end

local from = A.cursor and '(' .. A.cursor or '+inf'
local rows = redis.call('ZREVRANGEBYSCORE', P .. 'jobs:' .. A.owner, from, '-inf', 'WITHSCORES',
                        'LIMIT', 0, (next(A.filters) and SCANNED_MOST or A.limit) + 1)
local found, last = {}, ''
for i = 1, #rows, 2 do
  if #found == A.limit or i > 2 * SCANNED_MOST then return answer(last, found) end
  if matches(rows[i]) then found[#found + 1] = record(rows[i]) end
  last = rows[i + 1]
end
return answer('', found)
