"""Ending a worker well. The first SIGTERM (or Ctrl-C) drains: claim no more, finish the job within
`drain_seconds`, else give it back, uncounted. The second gives it back at once."""

import signal
import time
from collections.abc import Callable, Iterable
from types import FrameType

from celery.worker import state as celery_state


class Drain:
    """Whether this worker is ending, and how soon.

    Plain flags, since a signal handler sets them: it may have interrupted the main thread anywhere, so it
    must not wait for a lock that this thread could hold. Each of `wake` is called once, when draining begins.
    """

    def __init__(self, seconds: float, wake: Iterable[Callable[[], None]] = ()) -> None:
        self._seconds = seconds
        self._wake = wake
        self._began_at: float | None = None
        self._at_once = False

    @property
    def begun(self) -> bool:
        """No job is claimed any more."""
        return self._began_at is not None

    @property
    def over(self) -> bool:
        """The time is up: the job in hand is given back."""
        return self._at_once or (
            self._began_at is not None and time.monotonic() >= self._began_at + self._seconds
        )

    def begin(self) -> None:
        """Start draining; again changes nothing."""
        if self._began_at is None:
            self._began_at = time.monotonic()
            celery_state.should_stop = 0  # Celery's own loop looks at it and ends; 0 is its exit code
            for wake in self._wake:
                wake()

    def hurry(self) -> None:
        """Let the time be up."""
        self._at_once = True

    def obey_signals(self) -> None:
        """From now on SIGTERM and SIGINT drain, and a second one hurries."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.begun:
            self.hurry()
        else:
            self.begin()
