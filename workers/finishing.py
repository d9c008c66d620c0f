"""What follows a run, in threads of its own: the device does not wait for the storage or the state server."""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")

THREADS = 8
"""As many as the largest batch: its jobs are then committed in one round trip and one sync (`Together`)."""
WAITING_MOST = 32
"""Attempts that are being stored or wait for it; more have the work loop wait, so that a slow storage slows
the claims and not the leases."""


class Finishing(Generic[T]):
    """Finishes attempts side by side. A bug in `finish` breaks the worker, as in any of its threads."""

    def __init__(self, finish: Callable[[T], None]) -> None:
        self._finish = finish
        self._room = threading.BoundedSemaphore(WAITING_MOST)
        self._pool = ThreadPoolExecutor(THREADS, "finishing")

    def submit(self, attempt: T) -> None:
        """Have an attempt finished; waits while too many are."""
        self._room.acquire()
        self._pool.submit(self._run, attempt)

    def close(self) -> None:
        """Wait until all are finished."""
        self._pool.shutdown()

    def _run(self, attempt: T) -> None:
        try:
            self._finish(attempt)
        except BaseException:  # noqa: BLE001 - a pool would keep it to itself
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))
        finally:
            self._room.release()
