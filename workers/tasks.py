"""The one Celery task: a doorbell. It carries no work, only the news that there is some."""

from celery import Celery

from infra.broker import DOORBELL, Doorbell
from workers.bell import Bell


def register_doorbell(app: Celery, bell: Bell, doorbell: Doorbell) -> None:
    """Define the task on this worker's app.

    It wakes the work loop. One that was on its way when the loop found a job by itself is passed on to a
    worker that rests; if there is none, it waits in the broker for the first that does.
    """

    @app.task(name=DOORBELL)  # type: ignore[untyped-decorator]
    def answer(queue: str, job_id: str) -> None:
        if not bell.resting:
            doorbell.ring(queue, job_id)
        bell.ring()
