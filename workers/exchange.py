"""The quick talk about running jobs, every `exchange_seconds`: progress and text go out, cancel requests
come in. Apart from the beats, so that neither delays the other."""

import threading

from infra.errors import StateUnavailable
from infra.jobs.answers import Beat
from infra.jobs.live import Live
from infra.jobs.queue import JobQueue
from infra.logs import get_logger
from workers.attempt import LiveAttempt, Stop
from workers.desk import Desk, leases

log = get_logger()

STOPS = {Beat.CANCEL: Stop.CANCELLED, Beat.TIMED_OUT: Stop.TIMED_OUT, Beat.LOST: Stop.LOST}


class Exchange(threading.Thread):
    """Runs until `end`; does nothing while the desk is empty."""

    def __init__(self, queue: JobQueue, live: Live, desk: Desk, seconds: float) -> None:
        super().__init__(name="exchange", daemon=True)
        self._queue = queue
        self._live = live
        self._desk = desk
        self._seconds = seconds
        self._ended = threading.Event()
        self._failing = False

    def run(self) -> None:
        while not self._ended.wait(self._seconds):
            if self._desk.wait_until_busy(1.0):
                self._exchange()

    def end(self) -> None:
        """Stop after the present round."""
        self._ended.set()
        self.join()

    def _exchange(self) -> None:
        attempts = self._desk.held()
        for attempt in attempts:
            if (news := attempt.take_news()) is not None:
                self._live.publish(attempt.job.id, *news)
        try:
            for attempt in attempts:
                tell_deltas(self._queue, attempt)
            hear(attempts, self._queue.cancel_flags(leases(attempts)))
            self._failing = False
        except StateUnavailable as error:
            if not self._failing:  # once an outage, not four times a second
                log.warning("The exchange has to wait", action="exchange.failed", error=str(error))
            self._failing = True


def hear(attempts: list[LiveAttempt], answers: dict[str, Beat]) -> None:
    """Note on each attempt what the queue says about it."""
    for attempt in attempts:
        if (answer := answers.get(attempt.id)) in STOPS:
            attempt.hear(STOPS[answer])


def tell_deltas(queue: JobQueue, attempt: LiveAttempt) -> None:
    """Emit the text that is new. Raises StateUnavailable; what was not told is told the next time.

    An emit whose answer was lost is sent again: readers see by `offset` that they have that text.
    """
    with attempt.telling:
        deltas = attempt.take_deltas()
        while deltas:
            delta = deltas[0]
            data = {
                "attempt": attempt.id, "index": delta.index, "offset": delta.offset, "delta": delta.text
            }  # fmt: skip
            try:
                queue.emit(attempt.job.id, attempt.id, "job.output", data)
            except StateUnavailable:
                attempt.give_back(deltas)
                raise
            del deltas[0]
