"""The attempts that this worker holds now: what the beats and the exchange work for. One, until jobs are
batched.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from workers.attempt import LiveAttempt


class Desk:
    """Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[LiveAttempt] = []
        self._occupied = threading.Event()

    @contextmanager
    def holding(self, attempt: LiveAttempt) -> Iterator[None]:
        """Hold an attempt for the length of the block."""
        with self._lock:
            self._held.append(attempt)
            self._occupied.set()
        try:
            yield
        finally:
            with self._lock:
                self._held.remove(attempt)
                if not self._held:
                    self._occupied.clear()

    @property
    def busy(self) -> bool:
        """Whether there is any attempt."""
        return self._occupied.is_set()

    def held(self) -> list[LiveAttempt]:
        """The attempts, as a list of its own."""
        with self._lock:
            return list(self._held)

    def wait_until_busy(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for an attempt."""
        return self._occupied.wait(timeout)


def leases(attempts: list[LiveAttempt]) -> list[tuple[str, str]]:
    """(job id, attempt id) of each, as the queue wants them."""
    return [(attempt.job.id, attempt.id) for attempt in attempts]
