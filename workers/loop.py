"""The work loop: claim, run, and rest when there is nothing to do. One thread does all of a worker's runs;
what comes before a run and after it is done beside it.
"""

import threading

from infra.errors import StateUnavailable, WorkerPaused
from infra.logs import get_logger
from infra.metrics import CLAIMS
from workers.ahead import Ahead
from workers.attempt import LiveAttempt
from workers.bell import Bell
from workers.claims import Claims, Jobs
from workers.course import Course
from workers.drain import Drain
from workers.engine_client import Engine, EngineFailure
from workers.lifecycle import Lifecycle
from workers.trouble import ENGINE, StorageWatch, Trouble
from workers.upkeep import Upkeep

log = get_logger()

LONGEST_PAUSE = 5.0  # seconds between two tries to claim, or to start an engine, that fail


class WorkLoop(threading.Thread):
    """Runs until the drain begins. It claims at start, after each run, when the bell rings, and every
    `seconds`.
    """

    def __init__(
        self,
        *,
        claims: Claims,
        engine: Engine,
        lifecycle: Lifecycle,
        bell: Bell,
        drain: Drain,
        trouble: Trouble,
        storage: StorageWatch,
        upkeep: Upkeep,
        seconds: float,
    ) -> None:
        super().__init__(name="work")
        self._engine = engine
        self._lifecycle = lifecycle
        self._bell = bell
        self._drain = drain
        self._trouble = trouble
        self._storage = storage
        self._upkeep = upkeep
        self._paused = False
        self._seconds = seconds
        self._pause = seconds
        self._claims = claims
        self._ahead = Ahead(lifecycle.take_on)

    def run(self) -> None:
        try:
            while not self._drain.begun:
                if not self._work() and not self._upkeep.tend():
                    self._bell.rest(self._pause, deaf=self._paused or bool(self._trouble.text))
            self._lifecycle.release(self._ahead.close())
            self._lifecycle.rest()
        finally:
            self._engine.close()
            self._lifecycle.close()
            self._drain.begin()  # after a bug, too: then the process ends and is started again

    def _work(self) -> bool:
        """Do the next run; False when there is none, or a claim is not possible now."""
        attempts = self._ahead.take()
        if attempts and not self._is_ready():
            self._lifecycle.release(attempts)
            return False
        if not attempts:
            self._lifecycle.rest()
            if not self._storage.lets_work():
                return False
            jobs = self._claim()
            attempts = self._lifecycle.take_on(jobs)
            if not attempts:
                return bool(jobs)
        self._lifecycle.run(attempts, self._joining)
        return True

    def _joining(self, course: Course) -> list[LiveAttempt]:
        """What joins the run that goes on. Near the end of one that nothing can join, the next is claimed."""
        if self._drain.begun or self._trouble.text:
            self._lifecycle.release(self._ahead.prepared())  # others can have them now
            return []
        if not course.serves:
            if course.near_end:
                self._ahead.look(self._claims.ahead)
            return []
        if (room := course.room) > 0:
            self._ahead.look(lambda: self._claims.joining(course.attempts[0].job, room))
        return self._ahead.prepared()

    def _claim(self) -> Jobs:
        """The jobs of the next run, if any."""
        if not self._is_ready():
            return ()
        try:
            jobs = self._claims.next()
        except WorkerPaused:
            self._note_pause(True)
            CLAIMS.inc(result="paused")
            return ()
        except StateUnavailable as error:
            self._wait_longer(error)
            return ()
        self._note_pause(False)
        self._pause = self._seconds
        if not jobs:
            CLAIMS.inc(result="parked")
        return jobs

    def _is_ready(self) -> bool:
        """Whether the engine lives, started if need be: a worker whose engine does not start takes no job."""
        if self._engine.lost:
            self._lifecycle.rest()
        try:
            self._engine.ensure()
        except EngineFailure as error:
            self._trouble.note(ENGINE)
            self._wait_longer(error)
            return False
        self._trouble.clear(ENGINE)
        return True

    def _wait_longer(self, error: Exception) -> None:
        CLAIMS.inc(result="failed")
        log.warning("This worker cannot claim now", action="claim.failed", error=str(error))
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _note_pause(self, paused: bool) -> None:
        if paused != self._paused:
            self._paused = paused
            if paused:
                log.info("An operator has paused this worker", action="worker.paused")
            else:
                log.info("An operator has resumed this worker", action="worker.resumed")
