"""What comes next, claimed and prepared in a thread of its own while the engine works."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from infra.errors import StateUnavailable, WorkerPaused
from infra.logs import get_logger
from workers.attempt import LiveAttempt
from workers.claims import Jobs

log = get_logger()

LOOK_SECONDS = 0.2
"""Least time between two claims ahead."""

TakeOn = Callable[[Jobs], list[LiveAttempt]]


class Ahead:
    """At most one claim at a time, whose attempts wait here until they are taken. For the work loop."""

    def __init__(self, take_on: TakeOn) -> None:
        self._take_on = take_on
        self._thread = ThreadPoolExecutor(1, "ahead")
        self._found: Future[list[LiveAttempt]] | None = None
        self._began = float("-inf")

    def look(self, claim: Callable[[], Jobs]) -> None:
        """Begin to claim and prepare, unless something waits here already or the last look was just now."""
        if time.monotonic() - self._began < LOOK_SECONDS or self._has_some():
            return
        self._began = time.monotonic()
        self._found = self._thread.submit(self._claim, claim)

    def prepared(self) -> list[LiveAttempt]:
        """What is ready now; it is the caller's from here on."""
        return self.take() if self._found is not None and self._found.done() else []

    def take(self) -> list[LiveAttempt]:
        """What has been claimed, once it is prepared; it is the caller's from here on."""
        found, self._found = self._found, None
        return found.result() if found is not None else []

    def close(self) -> list[LiveAttempt]:
        """The same, for the last time."""
        self._thread.shutdown()
        return self.take()

    def _has_some(self) -> bool:
        return self._found is not None and not (self._found.done() and not self._found.result())

    def _claim(self, claim: Callable[[], Jobs]) -> list[LiveAttempt]:
        try:
            return self._take_on(claim())
        except WorkerPaused:
            return []
        except StateUnavailable as error:  # the work loop will claim, and wait for it
            log.warning("This worker cannot claim ahead", action="claim.failed", error=str(error))
            return []
