-- A worker that stops takes its registration back. Answers: ok.

forget_worker(A.worker_id)
redis.call('HDEL', PAUSED, 'worker:' .. A.worker_id)
return answer('ok')
