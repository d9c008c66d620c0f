-- Change an owner's own settings: `set` has values by name, `unset` the names that are again as for all. What a running
-- limit holds back no longer may be claimed at once. Said again: nothing more. Answers: ok, the settings as JSON.

local own = settings_of(A.owner)
for name, value in pairs(A.set) do own[name] = value end
for _, name in ipairs(A.unset) do own[name] = nil end
if next(own) then
  redis.call('HSET', OWNER_SETTINGS, A.owner, cjson.encode(own))
else
  redis.call('HDEL', OWNER_SETTINGS, A.owner)
end
if not at_limit(A.owner) then unblock_owner(A.owner) end
return answer('ok', next(own) and cjson.encode(own) or '{}')
