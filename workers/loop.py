"""The work loop: claim, carry out, and rest when there is nothing to do. One thread does all of a worker's
jobs.
"""

import threading
from collections.abc import Callable

from infra.crash_points import CrashPoint, crash_point
from infra.errors import StateUnavailable, WorkerPaused
from infra.jobs.answers import WorkerCard
from infra.jobs.queue import JobQueue
from infra.jobs.record import Job, new_attempt_id
from infra.logs import get_logger
from infra.metrics import CLAIMS
from workers import counts
from workers.bell import Bell
from workers.drain import Drain
from workers.engine_client import Engine, EngineFailure
from workers.lifecycle import Lifecycle
from workers.trouble import ENGINE, StorageWatch, Trouble

log = get_logger()

LONGEST_PAUSE = 5.0  # seconds between two tries to claim, or to start an engine, that fail


class WorkLoop(threading.Thread):
    """Runs until the drain begins. It claims at start, after each job, when the bell rings, and every
    `seconds`.
    """

    def __init__(
        self,
        *,
        queue: JobQueue,
        engine: Engine,
        lifecycle: Lifecycle,
        card: Callable[[], WorkerCard],
        bell: Bell,
        drain: Drain,
        trouble: Trouble,
        storage: StorageWatch,
        seconds: float,
    ) -> None:
        super().__init__(name="work")
        self._queue = queue
        self._engine = engine
        self._lifecycle = lifecycle
        self._card = card
        self._bell = bell
        self._drain = drain
        self._trouble = trouble
        self._storage = storage
        self._paused = False
        self._seconds = seconds
        self._pause = seconds
        self._attempt_id = new_attempt_id()

    def run(self) -> None:
        try:
            while not self._drain.begun:
                if not self._work():
                    self._bell.rest(self._pause, deaf=self._paused or bool(self._trouble.text))
        finally:
            self._engine.close()
            self._drain.begin()  # after a bug, too: then the process ends and is started again

    def _work(self) -> bool:
        """Do one job; False when there is none, or a claim is not possible now."""
        if not self._storage.lets_work():
            return False
        try:
            job = self._claim()
        except (StateUnavailable, EngineFailure) as error:
            CLAIMS.inc(result="failed")
            log.warning("This worker cannot claim now", action="claim.failed", error=str(error))
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            return False  # the attempt id stays: a claim whose answer was lost gives the same job again
        self._pause = self._seconds
        if job is None:
            CLAIMS.inc(result="paused" if self._paused else "parked")
            return False
        CLAIMS.inc(result="job")
        crash_point(CrashPoint.AFTER_CLAIM)
        attempt_id, self._attempt_id = self._attempt_id, new_attempt_id()
        self._lifecycle.carry_out(job, attempt_id)
        counts.warm(self._card().models, self._engine.warm)
        return True

    def _claim(self) -> Job | None:
        """The next job. Before that the engine: a worker whose engine does not start takes no job."""
        try:
            self._engine.ensure()
        except EngineFailure:
            self._trouble.note(ENGINE)
            raise
        self._trouble.clear(ENGINE)
        try:
            job = self._queue.claim(self._card(), self._attempt_id)
        except WorkerPaused:
            self._note_pause(True)
            return None
        self._note_pause(False)
        return job

    def _note_pause(self, paused: bool) -> None:
        if paused != self._paused:
            self._paused = paused
            if paused:
                log.info("An operator has paused this worker", action="worker.paused")
            else:
                log.info("An operator has resumed this worker", action="worker.resumed")
