"""Trying again while a service is away."""

import time
from collections.abc import Callable
from typing import TypeVar

from infra.errors import StorageRefused, Unavailable
from infra.logs import get_logger

log = get_logger()

Answer = TypeVar("Answer")

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds


def persist(call: Callable[[], Answer], seconds: float, check: Callable[[], None] = lambda: None) -> Answer:
    """The answer of `call`, tried again with growing pauses for `seconds` while its service is Unavailable.

    Raises the last error when the time is up, or at once when the storage refuses for good; and whatever
    `check` raises between two tries.
    """
    give_up, pause = time.monotonic() + seconds, FIRST_PAUSE
    while True:
        try:
            return call()
        except StorageRefused:  # waiting does not help
            raise
        except Unavailable as error:
            if time.monotonic() + pause > give_up:
                raise
            log.warning("A service is away; trying again", action="service.away", error=str(error))
        time.sleep(pause)
        check()
        pause = min(2 * pause, LONGEST_PAUSE)
