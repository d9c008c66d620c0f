"""Wakes the watchers of this process: who waits for a job costs no thread, no connection and no polling.

A watcher is a greenlet that waits on an event. One listener a server (see `listeners.py`) tells the hub which
job has changed, and the hub wakes those who watch it. Wake-ups may be lost, so a watcher looks again by
itself now and then.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import Any, TypeVar

from api.problems import Problem

LOOK_AGAIN_SECONDS = 15.0  # how late a watcher may be when a wake-up was lost; also the pace of SSE comments


T = TypeVar("T")


class Change:
    """One wake-up of a job's watchers. What the first of them reads because of it is there for the others."""

    def __init__(self) -> None:
        self._reads: dict[str, Future[Any]] = {}

    def read(self, after: str, read: Callable[[], T]) -> T:
        """What `read` gives for who was told of all up to `after`; called by one of those who ask."""
        found = self._reads.get(after)
        if found is None:
            found = self._reads[after] = Future()
            try:
                found.set_result(read())
            except BaseException:
                found.cancel()  # this watcher goes; the others have to read for themselves
                raise
        try:
            result: T = found.result()
        except CancelledError:
            return read()
        return result


class Watch:
    """One watcher of one job."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self._woken = threading.Event()
        self._live: bytes | None = None
        self._change: Change | None = None

    def wait(self, seconds: float) -> bool:
        """Sleep until something may have changed, `seconds` at most; True when woken."""
        woken = self._woken.wait(seconds)
        self._woken.clear()
        return woken

    def wake(self, change: Change) -> None:
        """The record or its events have changed."""
        self._change = change
        self._woken.set()

    def show(self, live: bytes) -> None:
        """Live progress, as published; only the latest is kept for a slow reader."""
        self._live = live
        self._woken.set()

    def take_change(self) -> Change | None:
        """The latest change since the last call; live progress alone is no reason to read the record."""
        change, self._change = self._change, None
        return change

    def take_live(self) -> bytes | None:
        """The latest live progress since the last call."""
        live, self._live = self._live, None
        return live


class Hub:
    """The watchers of one process, `limit` at most."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.closing = False
        self._watches: dict[str, set[Watch]] = defaultdict(set)
        self._count = 0

    @property
    def count(self) -> int:
        """Watchers now."""
        return self._count

    @property
    def watched(self) -> frozenset[str]:
        """Ids of the jobs that somebody watches."""
        return frozenset(self._watches)

    @contextmanager
    def watch(self, job_id: str) -> Iterator[Watch]:
        """Be woken for this job inside the block; Problem `too_many_watchers` when the process has its
        limit."""
        if self._count >= self.limit:
            raise Problem("too_many_watchers", f"This process serves {self.limit} watchers at most.")
        watch = Watch(job_id)
        self._count += 1
        self._watches[job_id].add(watch)
        try:
            yield watch
        finally:
            self._count -= 1
            self._watches[job_id].discard(watch)
            if not self._watches[job_id]:
                del self._watches[job_id]

    def wake(self, job_id: str) -> None:
        """The job's record or events have changed."""
        change = Change()
        for watch in tuple(self._watches.get(job_id, ())):
            watch.wake(change)

    def wake_all(self) -> None:
        """Anything may have changed: the listener was away."""
        for job_id in tuple(self._watches):
            self.wake(job_id)

    def show(self, job_id: str, live: bytes) -> None:
        """Live progress of a job has arrived."""
        for watch in tuple(self._watches.get(job_id, ())):
            watch.show(live)

    def close(self) -> None:
        """The process ends: every watcher answers at once with what it has."""
        self.closing = True
        self.wake_all()
