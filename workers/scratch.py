"""Folders for files on their way, under `HOME/work`. Each worker has its own; what a killed one left is
removed.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

LOCK = "lock"
"""A worker holds a lock on this file of its folder for as long as it lives, however it ends."""

NEW_LOCK = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC


class Scratch:
    """This worker's folder; use with `with`."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(root / LOCK):  # nobody looks at a folder that is not locked yet
            for folder in root.glob("worker-*"):
                _remove_if_left(folder)
            self.folder = Path(tempfile.mkdtemp(prefix="worker-", dir=root))
            self._lock = os.open(self.folder / LOCK, NEW_LOCK, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(
            self.folder, ignore_errors=True
        )  # a file that appears meanwhile is removed by the next worker
        os.close(self._lock)

    def of(self, attempt_id: str) -> Path:
        """Where the folder of an attempt is, once it has been made."""
        return self.folder / attempt_id

    def remove(self, folder: Path) -> None:
        """Remove the folder of an attempt, if it was made."""
        shutil.rmtree(folder, ignore_errors=True)  # an engine killed just now may still be writing


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = os.open(path, NEW_LOCK, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _remove_if_left(folder: Path) -> None:
    """Remove a folder whose worker is gone."""
    try:
        lock = os.open(folder / LOCK, NEW_LOCK, 0o600)
    except FileNotFoundError:  # its worker has just removed it
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
