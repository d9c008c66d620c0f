"""Heartbeats: every `beat_seconds` the leases of the running attempts and the worker's registration are
renewed.

They prove that the worker's parent lives. That the engine gets on with its work is the watch of
`engine_client`.
"""

import threading
from collections.abc import Callable

from infra.errors import StateUnavailable
from infra.jobs.answers import WorkerCard
from infra.jobs.queue import JobQueue
from infra.logs import get_logger
from workers.desk import Desk, leases
from workers.exchange import hear
from workers.trouble import Trouble

log = get_logger()


class Beats(threading.Thread):
    """Beats until `end`, idle or not. A beat that fails is left out: leases outlive several."""

    def __init__(
        self,
        queue: JobQueue,
        desk: Desk,
        card: Callable[[], WorkerCard],
        trouble: Trouble,
        seconds: float,
    ) -> None:
        super().__init__(name="beats", daemon=True)
        self._queue = queue
        self._desk = desk
        self._card = card
        self._trouble = trouble
        self._seconds = seconds
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(self._seconds):
            self._beat()

    def end(self) -> None:
        """Stop after the present beat."""
        self._ended.set()
        self.join()

    def _beat(self) -> None:
        attempts = self._desk.held()
        progress = {attempt.id: attempt.progress for attempt in attempts if attempt.progress}
        try:
            answers = self._queue.beat(leases(attempts), self._card(), progress, self._trouble.text or None)
            hear(attempts, answers)
        except StateUnavailable as error:
            log.warning("A heartbeat failed", action="beat.failed", error=str(error))
