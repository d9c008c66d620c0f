"""Models that no live worker can run, when their jobs are to fail rather than wait (`missing_models`).

A worker that has given a model up claims its jobs, and fails them. It does so only once no worker has offered
the model for a while: after a start or during an upgrade the one that has it may be late.
"""

import time
from collections.abc import Callable, Iterable, Mapping

from infra.errors import StateUnavailable
from infra.jobs.answers import WorkerInfo

LOOK_SECONDS = 2.0
"""Least time between two looks at what other workers offer."""


class GivingUp:
    """Decides for one worker which models it has given up."""

    def __init__(self, workers: Callable[[], Iterable[WorkerInfo]], after: float | None) -> None:
        """`after`: seconds without any worker that offers a model; None: jobs wait for ever."""
        self._workers = workers
        self._after = after
        self._looked = float("-inf")
        self._missing: dict[str, float] = {}

    def models(self, unable: Mapping[str, str]) -> tuple[str, ...]:
        """Those of the models that this worker is unable to run which it has given up by now."""
        now = time.monotonic()
        if self._after is None or not unable:
            self._missing = {}
            return ()
        if now - self._looked >= LOOK_SECONDS:
            self._look(unable, now)
        # The last look may be older than `unable`: what has come back since is not given up.
        return tuple(
            name for name, since in self._missing.items() if name in unable and now - since >= self._after
        )

    def _look(self, unable: Mapping[str, str], now: float) -> None:
        try:
            offered = {model for worker in self._workers() for model in worker.card.models}
        except StateUnavailable:
            self._missing = {}  # nobody knows; the time begins anew
            return
        self._looked = now
        self._missing = {name: self._missing.get(name, now) for name in unable if name not in offered}
