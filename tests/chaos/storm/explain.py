"""Which kill ended which attempt: every crash and every lost lease has to have its line in the kill log."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from infra.jobs.record import Attempt, Job, Outcome
from tests.chaos.storm.ledger import Line
from tests.chaos.storm.plan import Victim

SLACK_MS = 1000
"""A worker may claim a moment after its engine was killed, before it knows; the attempt then dies of that."""

NOTICED_MS = 60_000
"""A kill is long noticed by then, be it by a lease on a busy machine."""

CULPRITS = {
    Outcome.CRASHED: (Victim.ENGINE, Victim.HUNTED_ENGINE),
    Outcome.LOST: (Victim.WORKER, Victim.STATE),
}
"""What must have been killed for an attempt to end so: the engine or the worker during the attempt, or the
state server at the moment of the claim. It has then written the claim down, but its worker never hears of it,
and the lease runs out if the server is killed again before the worker has asked again.
"""


@dataclass(frozen=True)
class Explained:
    """An attempt that ended without a result, and the kill that it ended by (None: nobody knows why)."""

    job: Job
    attempt: Attempt
    kill: Line | None

    def __str__(self) -> str:
        attempt = self.attempt
        assert attempt.outcome is not None
        return f"attempt {attempt.number} of {self.job.id} on {attempt.worker}: {attempt.outcome.value}"


def explain(jobs: Iterable[Job], kills: Sequence[Line]) -> list[Explained]:
    """One entry for each attempt that did not succeed, oldest first. The kill of an engine or a worker
    explains all that this worker had at that moment: those that shared its run, waited for it or were being
    written.
    """
    ended = [
        (job, attempt)
        for job in jobs
        for attempt in job.attempts
        if attempt.outcome not in (Outcome.SUCCEEDED, None)
    ]
    in_order = sorted(ended, key=lambda pair: pair[1].ended_at or 0)
    return [Explained(job, attempt, culprit(attempt, kills)) for job, attempt in in_order]


def culprit(attempt: Attempt, kills: Sequence[Line]) -> Line | None:
    """The kill that ended an attempt: the first that fits, in the order of CULPRITS."""
    assert attempt.outcome is not None
    for victim in CULPRITS.get(attempt.outcome, ()):
        for kill in kills:
            if kill["victim"] == victim and _fits(attempt, kill):
                return kill
    return None


def _fits(attempt: Attempt, kill: Line) -> bool:
    assert attempt.ended_at is not None
    if kill["victim"] == Victim.STATE:
        return bool(abs(kill["at"] - attempt.started_at) <= SLACK_MS)
    earliest = max(attempt.started_at - SLACK_MS, attempt.ended_at - NOTICED_MS)
    during = earliest <= kill["at"] <= attempt.ended_at
    return bool(during and kill["worker"] == attempt.worker)
