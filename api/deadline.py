"""The promise that a call is answered within three seconds, whatever hangs behind it.

Each service has time limits of its own; this one is for their sum, and for a crowd that waits for few
connections. It does not run while the answer waits for the client: for the bytes of a body, or for a job, if
the client asked to wait.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from flask import g

from api.problems import Problem

ANSWER_SECONDS = 2.5  # leaves half a second for the way to the client and a busy machine


@contextmanager
def answered_in_time() -> Iterator[None]:
    """Problem `overloaded` (503) unless the block ends in time."""
    g.timer = _timer()
    try:
        yield
    finally:
        g.timer.close()


@contextmanager
def waiting_for_client() -> Iterator[None]:
    """The time of this block does not count, and the count begins anew after it."""
    g.timer.close()
    try:
        yield
    finally:
        g.timer = _timer()


class _Overloaded(Problem):
    """Made only when the time is over: it rarely is."""

    def __init__(self) -> None:
        super().__init__("overloaded")


def is_overloaded(error: BaseException) -> bool:
    """Whether it says that the time was over: nothing is known then of what was under way."""
    return isinstance(error, _Overloaded)


def _timer() -> gevent.Timeout:
    return gevent.Timeout.start_new(ANSWER_SECONDS, _Overloaded)
