"""gevent's patch of the standard library, with one part taken back."""

import os

from gevent import monkey


def patch() -> None:
    """Make blocking calls switch greenlets. Must come before anything imports sockets, locks or TLS."""
    monkey.patch_all()
    close_at_once()


def close_at_once() -> None:
    """Undo gevent's `os.close`, which puts off the closing of folders until the event loop turns: a lock
    that hangs on such a descriptor would not be given up, and the next `flock` of this process would wait
    for ever."""
    os.close = monkey.get_original("os", "close")
