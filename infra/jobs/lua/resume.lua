-- Take a pause back, and ring for what it held back. A worker finds out by itself. Said again: nothing more.
-- Answers: resumed | unchanged.

-- One ring for each model: whom it wakes wakes the next (see claim).
local function ring_for_model(queue, model)
  local owner = redis.call('ZRANGE', owners_key(queue, model), 0, 0)[1]
  local head = owner and redis.call('ZRANGE', ready_key(queue, owner, model), 0, 0)[1]
  if head then ring({id = head, queue = queue, model = model}) end
end

local function ring_for_queue(queue)
  for _, model in ipairs(redis.call('SMEMBERS', models_key(queue))) do ring_for_model(queue, model) end
end

if redis.call('HDEL', PAUSED, A.what .. ':' .. A.name) == 0 then return answer('unchanged') end
if A.what == 'queue' then ring_for_queue(A.name) end
if A.what == 'model' then
  for _, queue in ipairs(redis.call('SMEMBERS', P .. 'queues')) do ring_for_model(queue, A.name) end
end
return answer('resumed')
