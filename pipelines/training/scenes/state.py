"""A training budget by the clock, as the first scenes recipe counts it."""

from __future__ import annotations

import time

from pipelines.training.store import Store

__all__ = ["Clock", "Store"]


class Clock:
    """A training budget in seconds, kept over resumptions; learning rates follow the share spent."""

    def __init__(self, seconds: float, spent: float = 0.0) -> None:
        self.seconds, self.before, self.started = seconds, spent, time.monotonic()

    @property
    def spent(self) -> float:
        return self.before + time.monotonic() - self.started

    @property
    def share(self) -> float:
        return min(1.0, self.spent / self.seconds)
