"""The rescuer: a thread that ticks, in every worker and API process. Any number may run, with no leader."""

import threading

from infra.errors import StateUnavailable
from infra.jobs.answers import Tick
from infra.jobs.queue import JobQueue
from infra.logs import get_logger
from infra.metrics import RESCUES

log = get_logger()


class Rescuer:
    """Calls `JobQueue.tick` every `interval` seconds until stopped. Survives a state server that is away."""

    def __init__(self, queue: JobQueue, interval: float) -> None:
        self._queue = queue
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rescuer", daemon=True)
        self._failing = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the last tick is over."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._tick()
            self._stopped.wait(self._interval)

    def _tick(self) -> None:
        try:
            tell(self._queue.tick())
        except StateUnavailable as error:
            if not self._failing:
                log.warning("The rescuer has to wait", action="rescuer.failed", error=str(error))
            self._failing = True
        except Exception:  # what nobody foresaw must not end the thread: leases would run out unseen
            log.exception("A tick has failed", action="rescuer.broken")
        else:
            self._failing = False


def tell(tick: Tick) -> None:
    """Log and count what a tick found."""
    if tick.grace:
        RESCUES.inc(what="grace")
        log.warning("Nobody looked after leases for a while; all were renewed", action="rescuer.grace")
    for job_id in tick.lost:
        RESCUES.inc(what="lost")
        log.warning("A lease has expired", action="lease.lost", job_id=job_id)
    for job_id in tick.overdue:
        RESCUES.inc(what="overdue")
        log.info("A deadline has passed", action="deadline.passed", job_id=job_id)
    for worker in tick.workers_gone:
        RESCUES.inc(what="worker")
        log.warning("A worker is silent", action="worker.gone", worker=worker)
    if tick.due:
        RESCUES.inc(tick.due, what="due")
