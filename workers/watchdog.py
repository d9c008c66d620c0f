"""The watchdog over this process's own work with files. The engine has one of its own (`engine_client`)."""

import faulthandler
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from infra.errors import StateUnavailable
from infra.logs import get_logger

log = get_logger()

LEAST_GRACE = 5.0
"""Seconds beyond its time that a call has at least: one that cannot be stopped may be about to end."""

HUNG = 5
"""Exit code of a worker that its watchdog has ended."""


class Watchdog:
    """Ends this process when a call hangs that cannot be stopped: a folder whose server is gone, a storage
    that takes a byte a minute. Beats would keep the job's lease for ever.
    """

    def __init__(self, timeout: float) -> None:
        """`timeout`: seconds after which what is watched gives up by itself, if it can."""
        self._seconds = timeout + max(timeout, LEAST_GRACE)

    @contextmanager
    def over(self, what: str, give_up: Callable[[], object]) -> Iterator[None]:
        """Watch the block; if it takes too long, call `give_up` and end the process."""
        timer = threading.Timer(self._seconds, self._bark, (what, give_up))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _bark(self, what: str, give_up: Callable[[], object]) -> None:
        log.critical("A worker hangs and ends", action="worker.hung", what=what, seconds=self._seconds)
        faulthandler.dump_traceback(file=sys.stderr)
        try:
            give_up()
        except StateUnavailable as error:  # the lease then ends the attempt
            log.error("The end of an attempt could not be told", action="attempt.untold", error=str(error))
        finally:
            os._exit(HUNG)
