"""The catalog as its files say now: read again once one of them has changed."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines.catalog import Catalog

LOOK_SECONDS = 1.0
"""Least time between two looks at the files."""


class FollowedCatalog:
    """Gives the catalog of some files, any of which may come, go and change."""

    def __init__(self, files: Callable[[], Sequence[Path]], on_read: Callable[[Catalog], None]) -> None:
        """`files` tells which there are now; `on_read` is called with every catalog that is read."""
        self._files = files
        self._on_read = on_read
        self._lock = threading.Lock()
        self._stamp: tuple[tuple[Path, int], ...] | None = None
        self._catalog = Catalog({})
        self._look_at = 0.0

    def now(self) -> Catalog:
        """The catalog, at most LOOK_SECONDS old."""
        with self._lock:
            if time.monotonic() >= self._look_at:
                self._look_at = time.monotonic() + LOOK_SECONDS
                self._read_if_changed()
            return self._catalog

    def _read_if_changed(self) -> None:
        files = self._files()
        stamp = tuple((file, modified(file)) for file in files)
        if stamp != self._stamp:
            self._stamp, self._catalog = stamp, Catalog.load(files)
            self._on_read(self._catalog)


def modified(file: Path) -> int:
    """When a file was last written, in nanoseconds; 0 when there is none."""
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
