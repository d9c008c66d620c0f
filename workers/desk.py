"""The attempts that this worker holds now: what the beats and the exchange work for."""

import threading

from workers.attempt import LiveAttempt


class Desk:
    """Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[LiveAttempt] = []
        self._occupied = threading.Event()

    def take(self, attempt: LiveAttempt) -> None:
        """Hold an attempt from now on."""
        with self._lock:
            self._held.append(attempt)
            self._occupied.set()

    def drop(self, attempt: LiveAttempt) -> None:
        """Hold it no more."""
        with self._lock:
            self._held.remove(attempt)
            if not self._held:
                self._occupied.clear()

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
