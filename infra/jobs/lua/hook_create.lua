-- Store a new endpoint of an owner. Said again: the one that is there. Answers: ok, endpoint hash | owner_limit.

local key, index = P .. 'hook:' .. A.id, P .. 'hooks:' .. A.owner
if redis.call('EXISTS', key) == 0 then
  if redis.call('ZCARD', index) >= A.most then return answer('owner_limit') end
  redis.call('HSET', key, 'id', A.id, 'owner', A.owner, 'url', A.url, 'description', A.description,
             'secret', A.secret, 'created_at', now)
  redis.call('ZADD', index, redis.call('INCR', P .. 'sequence'), A.id)
end
return answer('ok', redis.call('HGETALL', key))
