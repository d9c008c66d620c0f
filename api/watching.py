"""Holding an answer until a job is final: `Prefer: wait=N`."""

import time

from api.deadline import waiting_for_client
from api.hub import LOOK_AGAIN_SECONDS
from api.services import services
from infra.jobs.record import Job


def wait_until_final(job_id: str, owner: str, seconds: float) -> Job:
    """The job once it is final, or as it stands after `seconds` or when this process ends.

    Problem `too_many_watchers` when the process has as many watchers as it takes.
    """
    hub, queue = services().hub, services().queue
    deadline = time.monotonic() + seconds
    with hub.watch(job_id) as watch:
        while True:
            job = queue.get(job_id, owner)
            left = deadline - time.monotonic()
            if job.status.final or left <= 0 or hub.closing:
                return job
            with waiting_for_client():
                watch.wait(min(left, LOOK_AGAIN_SECONDS))
