"""Which kill ended which attempt: every crash and every lost lease has to have its line in the kill log."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from infra.jobs.record import Attempt, Job, Outcome
from tests.chaos.storm.ledger import Line
from tests.chaos.storm.plan import Victim

SLACK_MS = 1000
"""A worker may claim a moment after its engine was killed, before it knows; the attempt then dies of that."""

CULPRITS = {
    Outcome.CRASHED: {Victim.ENGINE.value, Victim.HUNTED_ENGINE.value},
    Outcome.LOST: {Victim.WORKER.value},
}
"""What must have been killed for an attempt to end so."""


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
    """One entry for each attempt that did not succeed, oldest first. A kill explains one attempt only, since
    a worker runs one at a time.
    """
    ended = [
        (job, attempt)
        for job in jobs
        for attempt in job.attempts
        if attempt.outcome not in (Outcome.SUCCEEDED, None)
    ]
    free = list(kills)
    found = []
    for job, attempt in sorted(ended, key=lambda pair: pair[1].ended_at or 0):
        kill = next(filter(_fits(attempt), free), None)
        if kill is not None:
            free.remove(kill)
        found.append(Explained(job, attempt, kill))
    return found


def _fits(attempt: Attempt) -> Callable[[Line], bool]:
    assert attempt.outcome is not None
    assert attempt.ended_at is not None
    culprits, first, last = (
        CULPRITS.get(attempt.outcome, set()),
        attempt.started_at - SLACK_MS,
        attempt.ended_at,
    )

    def fits(kill: Line) -> bool:
        return kill["victim"] in culprits and kill["worker"] == attempt.worker and first <= kill["at"] <= last

    return fits
