"""What wakes an idle work loop, and tells others when it is idle again."""

import threading


class Bell:
    """Rung by doorbells and by the drain; only the work loop rests on it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rung = False
        self._idle = False
        self._closed = False

    def ring(self) -> None:
        """Wake the loop, or, when it is busy, have it look again before it rests."""
        with self._changed:
            self._rung = True
            self._changed.notify_all()

    def rest(self, timeout: float) -> None:
        """Be idle until somebody rings, at most `timeout` seconds."""
        with self._changed:
            self._idle = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._rung, timeout)
            self._rung = self._idle = False

    def answer(self) -> None:
        """Ring, and wait until the loop has found nothing more to do."""
        self.ring()
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (self._idle and not self._rung))

    def close(self) -> None:
        """The loop has ended: whoever waits for it may go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
