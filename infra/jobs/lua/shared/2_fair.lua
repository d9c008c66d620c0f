-- Start-time fair queueing: members of a clock (owners of one queue, or queues) have a virtual time, the
-- device-seconds they were charged with, and the least is served first. The clock's own time is the virtual
-- time at which somebody was last served. Who comes back starts there at the earliest, so that having been
-- away earns no arrears; who went ahead of it is remembered until it catches up.

local function fair_key(name, part) return P .. 'fair:' .. name .. ':' .. part end

local function fair_now(name)
  return number(redis.call('GET', fair_key(name, 'now')))
end

-- Enter the race, or stay in it; returns the virtual time.
local function fair_join(name, member)
  local at = redis.call('ZSCORE', fair_key(name, 'active'), member)
  if at then return tonumber(at) end
  local before = redis.call('ZSCORE', fair_key(name, 'idle'), member)
  if before then redis.call('ZREM', fair_key(name, 'idle'), member) end
  at = math.max(number(before), fair_now(name))
  redis.call('ZADD', fair_key(name, 'active'), at, member)
  return at
end

local function fair_leave(name, member)
  local at = redis.call('ZSCORE', fair_key(name, 'active'), member)
  if not at then return end
  redis.call('ZREM', fair_key(name, 'active'), member)
  if tonumber(at) > fair_now(name) then redis.call('ZADD', fair_key(name, 'idle'), at, member) end
end

-- Device-seconds that a member can be behind. It falls behind while no worker can run what it waits with, and
-- must not take all workers for hours when one comes.
local ARREARS_MOST = 600

-- Serve an active member; returns its new virtual time. What rides along with another's turn does not move the clock.
local function fair_charge(name, member, amount, rides)
  local at = tonumber(redis.call('ZSCORE', fair_key(name, 'active'), member))
  local present = math.max(fair_now(name), at)
  at = math.max(at, present - ARREARS_MOST)
  if not rides then
    redis.call('SET', fair_key(name, 'now'), present)
    redis.call('ZREMRANGEBYSCORE', fair_key(name, 'idle'), '-inf', present)
  end
  redis.call('ZADD', fair_key(name, 'active'), at + amount, member)
  return at + amount
end

-- Take a charge back, but never to before the clock's time.
local function fair_refund(name, member, amount)
  for _, part in ipairs({'active', 'idle'}) do
    local at = tonumber(redis.call('ZSCORE', fair_key(name, part), member))
    if at then
      local back = math.min(at, math.max(at - amount, fair_now(name)))
      redis.call('ZADD', fair_key(name, part), back, member)
    end
  end
end
