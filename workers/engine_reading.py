"""How much of a model's files has been read while it is being loaded."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

LEAST_BYTES = 100_000_000
"""Smaller models are loaded before anybody looks, and libraries that come in with them would falsify it."""

LOOK_SECONDS = 0.2

STATM = Path("/proc/self/statm")
"""Its third number: the resident pages of mapped files (Linux)."""


class Reading:
    """Tells, while its block loads a model, which part of the files' bytes has come into memory.

    safetensors are mapped, and the kernel counts the pages of mapped files that a process has touched. What
    comes and goes between two looks is missed, so that it is never too much. Nothing is told where the kernel
    does not count, or as long as nothing is touched: weights that stay mapped as they are (on a CPU, in the
    files' own number format) are only read when the model runs.
    """

    def __init__(self, total: int, tell: Callable[[float], None]) -> None:
        """`total`: bytes that will be read; 0: not known. `tell` is given fractions, in its own thread."""
        self._total = total
        self._tell = tell
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="reading", daemon=True)

    def __enter__(self) -> "Reading":
        if self._total >= LEAST_BYTES and STATM.exists():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _watch(self) -> None:
        seen, told, last = 0, 0.0, _mapped()
        while not self._over.wait(LOOK_SECONDS):
            now = _mapped()
            seen += max(0, now - last)
            last = now
            fraction = round(min(seen / self._total, 1.0), 2)
            if fraction > told:
                told = fraction
                self._tell(fraction)


def _mapped() -> int:
    """Resident bytes of the files that this process has mapped."""
    return int(STATM.read_text().split()[2]) * os.sysconf("SC_PAGE_SIZE")
