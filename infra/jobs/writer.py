"""What all who change records share: the scripts, and the bell for whom a script names."""

from collections.abc import Callable

import redis

from infra.connections import Durability
from infra.crash_points import CrashPoint, crash_point
from infra.jobs.answers import Limits
from infra.jobs.scripts import Answer, Scripts

Ring = Callable[[str, str], None]
"""Called with (queue, job id) when an idle worker should be woken."""


def no_ring(queue: str, job_id: str) -> None:
    """For callers without a broker: workers find the job by themselves within `idle_claim_seconds`."""


class Writer:
    """Runs scripts. Every call raises StateUnavailable when the state server does not answer."""

    def __init__(
        self,
        state: redis.Redis,
        *,
        limits: Limits,
        ring: Ring = no_ring,
        durability: Durability = "always",
    ) -> None:
        self._state = state
        self._limits = limits
        self._scripts = Scripts(state, limits, durability)
        self._ring = ring

    def _rung(self, answer: Answer) -> Answer:
        """Ring for whom the script names, now that the change is stored."""
        for queue, job_id in answer[2]:
            crash_point(CrashPoint.BEFORE_RING)
            self._ring(queue, job_id)
        return answer
