"""Workers: claim a job, run it in the engine, store what it made, commit.

A worker is two processes. The parent (`python -m workers`) talks to the queue, the broker and the storage
and never loads torch; its child, the engine (`python -m workers.engine`), owns the device. `lifecycle.py`
is the path of one job.
"""
