"""What wakes an idle work loop, and tells others whether it is idle."""

import threading
from collections.abc import Callable


class Bell:
    """Rung by doorbells, by a new catalog and by the drain; only the work loop rests on it."""

    def __init__(self, on_rest: Callable[[], None] = lambda: None) -> None:
        """`on_rest` is called by the loop's thread each time that it begins to rest."""
        self._changed = threading.Condition()
        self._rung = False
        self._idle = False
        self._on_rest = on_rest

    @property
    def resting(self) -> bool:
        """Whether the loop is idle, and nobody has rung yet."""
        return self._idle and not self._rung

    def ring(self) -> None:
        """Wake the loop, or, when it is busy, have it look again before it rests."""
        with self._changed:
            self._rung = True
            self._changed.notify_all()

    def rest(self, timeout: float, *, deaf: bool = False) -> None:
        """Be idle until somebody rings, at most `timeout` seconds. `deaf`: not for doorbells, which are for
        workers that may work."""
        with self._changed:
            self._idle = not deaf
        if not deaf:
            self._on_rest()
        with self._changed:
            self._changed.wait_for(lambda: self._rung, timeout)
            self._rung = self._idle = False
