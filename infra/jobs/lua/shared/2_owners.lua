-- Owners' own settings, set by operators: JSON {weight, max_queued, max_running, rate, burst} by owner. What is not in
-- it is as C.owner says, the same for all.

local OWNER_SETTINGS = P .. 'owner_settings'
local own_settings = {}

local function settings_of(owner)
  if not own_settings[owner] then
    local text = redis.call('HGET', OWNER_SETTINGS, owner)
    own_settings[owner] = text and cjson.decode(text) or {}
  end
  return own_settings[owner]
end

local function setting(owner, name) return settings_of(owner)[name] or C.owner[name] end
