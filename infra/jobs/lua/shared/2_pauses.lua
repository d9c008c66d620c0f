-- What operators have paused: a field `queue:<name>`, `model:<name>` or `worker:<id>` each, with JSON {at, by, reason}.

local PAUSED = P .. 'paused'
local paused_fields

local function is_paused(what, name)
  if not paused_fields then
    paused_fields = {}
    for _, field in ipairs(redis.call('HKEYS', PAUSED)) do paused_fields[field] = true end
  end
  return paused_fields[what .. ':' .. name] == true
end

-- Whether jobs of this queue and model stay where they are.
local function held_back(queue, model)
  return is_paused('queue', queue) or is_paused('model', model)
end
