"""Whether the memory of a process is flat: its resident size over time, and the slope of that.

The slope is that of Theil and Sen, the median over the slopes of all pairs of samples, which single peaks
cannot move. The first third of the samples is left out: there caches fill.
"""

import itertools
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

import psutil

from tests.chaos.storm.ledger import Ledger, Line, now_ms

SAMPLE_SECONDS = 2.0
MIB = 2**20
ALLOWED_MIB, ALLOWED_SHARE = 3.0, 0.05
"""A process may grow by this and by this part of its size over the whole time; more is a leak."""
FEWEST = 9
"""Samples that are needed to tell."""


class MemoryWatch:
    """A thread that notes the resident size of processes, by name."""

    def __init__(self, processes: Callable[[], Mapping[str, psutil.Process | None]], ledger: Ledger) -> None:
        self._processes = processes
        self._ledger = ledger
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            for name, process in self._processes().items():
                with suppress(psutil.NoSuchProcess):
                    if process is not None:
                        size = process.memory_info().rss
                        self._ledger.write(at=now_ms(), name=name, pid=process.pid, bytes=size)


@dataclass(frozen=True)
class Growth:
    """How one process grew, in MiB."""

    name: str
    samples: int
    size: float
    """Median."""
    per_hour: float
    over_the_run: float

    @property
    def flat(self) -> bool:
        return self.samples >= FEWEST and self.over_the_run <= ALLOWED_MIB + ALLOWED_SHARE * self.size


def growths(lines: list[Line]) -> list[Growth]:
    """One for each name; of a process that was replaced, the longest life counts."""
    lives: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for line in lines:
        lives.setdefault((line["name"], line["pid"]), []).append((line["at"] / 1000, line["bytes"] / MIB))
    longest: dict[str, list[tuple[float, float]]] = {}
    for (name, _), life in lives.items():
        longest[name] = max(longest.get(name, []), life, key=len)
    return [_growth(name, life) for name, life in longest.items()]


def _growth(name: str, life: list[tuple[float, float]]) -> Growth:
    steady = life[len(life) // 3 :]
    slope = theil_sen(steady)
    length = life[-1][0] - life[0][0]
    return Growth(name, len(life), median(size for _, size in steady), slope * 3600, slope * length)


def theil_sen(points: list[tuple[float, float]]) -> float:
    """Median slope over all pairs of points."""
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in itertools.combinations(points, 2) if x2 > x1]
    return median(slopes) if slopes else 0.0
