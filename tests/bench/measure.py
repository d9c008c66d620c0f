"""Time of one job alone, and jobs per second of many, for anything that can submit and wait."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Protocol

WARM_UP = 3  # jobs that nobody times: connections are made and models loaded


class Pending(Protocol):
    """A submitted job."""

    def wait(self) -> None:
        """Return when it is done."""


@dataclass(frozen=True)
class Figures:
    """What one system needed."""

    alone_ms: float
    """Median time from submitting a job to knowing that it is done, with nothing else to do."""
    alone_p95_ms: float
    per_second: float
    """Jobs done in a second when all were submitted at once."""

    def as_json(self) -> dict[str, float]:
        return {name: round(value, 2) for name, value in asdict(self).items()}


def measure(submit: Callable[[], Pending], jobs: int) -> Figures:
    """Figures over `jobs` jobs one after the other, then as many at once."""
    for _ in range(WARM_UP):
        submit().wait()
    times = sorted(_seconds(lambda: submit().wait()) for _ in range(jobs))
    together = _seconds(lambda: [pending.wait() for pending in [submit() for _ in range(jobs)]])
    p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
    return Figures(statistics.median(times) * 1000, p95 * 1000, jobs / together)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
