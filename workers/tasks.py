"""The one Celery task: a doorbell. It carries no work, only the news that there is some."""

from celery import Celery

from infra.broker import DOORBELL, Doorbell
from workers.bell import Bell
from workers.desk import Desk


def register_doorbell(app: Celery, bell: Bell, desk: Desk, doorbell: Doorbell) -> None:
    """Define the task on this worker's app.

    It wakes the work loop and holds Celery's only slot until that is idle again, so that a busy worker
    takes no more doorbells off the broker. One taken while the loop was busy with a job that it had found
    by itself is passed on, once, to a worker that is idle; if there is none, it waits in the broker and
    costs an empty claim later.
    """

    @app.task(name=DOORBELL)
    def answer(queue: str, job_id: str) -> None:
        if desk.busy:
            doorbell.ring(queue, job_id)
        bell.answer()
