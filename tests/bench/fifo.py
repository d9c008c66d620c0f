"""The worker that `mixed` is held against: ours, but for its not minding which models are loaded.

With the jobs of one owner at one priority it then runs them strictly by arrival, and whatever is alike to the
oldest job, anywhere in the line, rides along as ever. `python -m tests.bench.fifo`, as `python -m workers`.
"""

import sys
from dataclasses import replace
from typing import Any

import workers.worker
from infra.jobs.answers import WorkerCard
from workers.__main__ import main
from workers.shelf import Business


class Unminding(Business):
    """Tells the queue of no loaded model; only for what is loaded does it prefer a job to an older one."""

    def card(self, *parts: Any) -> WorkerCard:
        return replace(super().card(*parts), warm=())


if __name__ == "__main__":
    workers.worker.Business = Unminding  # type: ignore[misc]
    sys.exit(main())
