"""Wakes the watchers of this process: who waits for a job costs no thread, no connection and no polling.

A watcher is a greenlet that waits on an event. One listener a server (see `listeners.py`) tells the hub which
job has changed, and the hub wakes those who watch it. Wake-ups may be lost, so a watcher looks again by
itself now and then.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from api.problems import Problem

LOOK_AGAIN_SECONDS = 15.0  # how late a watcher may be when a wake-up was lost; also the pace of SSE comments


class Watch:
    """One watcher of one job."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self._woken = threading.Event()
        self._live: bytes | None = None
        self._changed = False

    def wait(self, seconds: float) -> bool:
        """Sleep until something may have changed, `seconds` at most; True when woken."""
        woken = self._woken.wait(seconds)
        self._woken.clear()
        return woken

    def wake(self) -> None:
        """The record or its events have changed."""
        self._changed = True
        self._woken.set()

    def show(self, live: bytes) -> None:
        """Live progress, as published; only the latest is kept for a slow reader."""
        self._live = live
        self._woken.set()

    def take_changed(self) -> bool:
        """Whether `wake` was called since the last call; live progress alone is no reason to read the
        record."""
        changed, self._changed = self._changed, False
        return changed

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
        for watch in tuple(self._watches.get(job_id, ())):
            watch.wake()

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
