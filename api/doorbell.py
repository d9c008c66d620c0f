"""The API's doorbell: Celery takes as long to import as all else together, and no request waits for it."""

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from infra.settings import Settings

if TYPE_CHECKING:
    from infra.broker import Doorbell

WARM_AFTER_SECONDS = 0.5  # after the start: the process answers its first requests before


class LateDoorbell:
    """`infra.broker.Doorbell`, made soon after the start, or when it is first rung."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._queues: set[str] = set(settings.queue_names)
        self._made: Doorbell | None = None
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._warm, name="doorbell", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def ring(self, queue: str, job_id: str) -> None:
        """Say that `queue` has work."""
        self._bell().ring(queue, job_id)

    def know(self, queues: Iterable[str]) -> None:
        """Be able to ring on these queues, too."""
        self._queues |= set(queues)
        if self._made is not None:
            self._made.know(self._queues)

    def _warm(self) -> None:
        if not self._stopped.wait(WARM_AFTER_SECONDS):
            self._bell()

    def _bell(self) -> "Doorbell":
        with self._lock:
            if self._made is None:
                from infra.broker import Doorbell, make_celery

                self._made = Doorbell(make_celery(self._settings, sorted(self._queues)))
            return self._made
