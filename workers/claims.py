"""Claims of one worker: by its work loop, and ahead of it by another thread."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from infra.errors import StateUnavailable, WorkerPaused
from infra.jobs.answers import WorkerCard
from infra.jobs.queue import JobQueue
from infra.jobs.record import Job, new_attempt_id
from infra.metrics import CLAIMS
from workers.desk import Desk

Jobs = Sequence[Job]


class Claims:
    """One claim at a time. The attempt id stays until an answer came: a claim whose answer was lost gives the
    same jobs again. Raises StateUnavailable, WorkerPaused."""

    def __init__(
        self, queue: JobQueue, card: Callable[[], WorkerCard], desk: Desk, window: float = 0.0
    ) -> None:
        """`window`: seconds that a run which could hold more waits for jobs to share it."""
        self._window = window
        self._queue = queue
        self._card = card
        self._desk = desk
        self._lock = threading.Lock()
        self._attempt_id = new_attempt_id()

    def next(self) -> Jobs:
        """The jobs of the next run; none parks the worker."""
        jobs = self._answered(lambda attempt_id, held: self._batch(attempt_id, held, ahead=False))
        if not (jobs and self._window and jobs[0].batch and not jobs[0].alone):
            return jobs
        room = self._card().batches.get(jobs[0].model, 1) - sum(job.rows for job in jobs)
        if room > 0:
            time.sleep(self._window)
            with suppress(StateUnavailable, WorkerPaused):  # what was claimed runs all the same
                jobs = (*jobs, *self.joining(jobs[0], room))
        return jobs

    def ahead(self) -> Jobs:
        """The same for a worker that is busy still."""
        return self._answered(lambda attempt_id, held: self._batch(attempt_id, held, ahead=True))

    def joining(self, job: Job, rows: int) -> Jobs:
        """Jobs that may join the run of this one, of so many rows at most."""
        return self._answered(
            lambda attempt_id, held: self._queue.claim_like(self._card(), attempt_id, job, rows, held=held)
        )

    def _batch(self, attempt_id: str, held: Sequence[str], *, ahead: bool) -> Jobs:
        return self._queue.claim_batch(self._card(), attempt_id, held=held, ahead=ahead)

    def _answered(self, claim: Callable[[str, Sequence[str]], Jobs]) -> Jobs:
        with self._lock:
            jobs = claim(self._attempt_id, [attempt.job.id for attempt in self._desk.held()])
            self._attempt_id = new_attempt_id()
        if jobs:
            CLAIMS.inc(result="job")
        return jobs
