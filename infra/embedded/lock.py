"""One process at a time serves a home. The kernel drops the lock when its holder dies, however it dies."""

import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.errors import HomeInUse
from infra.places import Places, make_private

PATIENCE = 0.5  # seconds: longer than `is_held` holds a shared lock, shorter than a person notices


class HomeLock:
    """The right to serve `home`; also a context manager. The file names the holder: {"pid": 1, "url": ""}."""

    def __init__(self, home: Path, url: str = "") -> None:
        self.path = Places(home).lock
        self.url = url
        self._descriptor: int | None = None

    def acquire(self, url: str = "") -> None:
        """Take the lock, or raise HomeInUse with the holder's pid and url."""
        self.url = url or self.url
        make_private(self.path.parent)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _locked(descriptor, fcntl.LOCK_EX, PATIENCE):
            holder = _holder(descriptor)
            os.close(descriptor)
            raise HomeInUse(*holder)
        self._descriptor = descriptor
        self.announce(self.url)

    def announce(self, url: str) -> None:
        """Write down where the holder serves, once that is known."""
        assert self._descriptor is not None, "the lock is not held"  # noqa: S101
        self.url = url
        text = json.dumps({"pid": os.getpid(), "url": url}).encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))

    def release(self) -> None:
        """Give the lock back. The file stays: else two processes could lock two files of one name."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def is_held(home: Path) -> bool:
    """Whether some process serves `home` now, as far as this user may know."""
    try:
        descriptor = os.open(Places(home).lock, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    try:
        return not _locked(descriptor, fcntl.LOCK_SH, 0.0)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, mode: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def _holder(descriptor: int) -> tuple[int | None, str]:
    """Pid and url of the holder, as far as it has written them down."""
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
        return int(found["pid"]), str(found["url"])
    except ValueError:  # between its lock and its note
        return None, ""
