"""Numbers of a storm that are worth reading, out of its evidence."""

import itertools
from collections import Counter
from dataclasses import dataclass
from statistics import median

from infra.jobs.record import Outcome, Status
from tests.chaos.storm.evidence import Evidence
from tests.chaos.storm.explain import Explained
from tests.chaos.storm.ledger import Line
from tests.chaos.storm.plan import Victim


@dataclass(frozen=True)
class Recovery:
    """How long something took over all cases, in seconds."""

    cases: int
    median: float
    worst: float

    @classmethod
    def of(cls, milliseconds: list[int]) -> "Recovery":
        seconds = [value / 1000 for value in milliseconds]
        return cls(len(seconds), median(seconds) if seconds else 0.0, max(seconds, default=0.0))

    def __str__(self) -> str:
        return f"{self.median:.2f} s, worst {self.worst:.2f} s, of {self.cases}"


def by_status(evidence: Evidence) -> dict[Status, int]:
    return Counter(job.status for job in evidence.jobs.values())


def by_outcome(evidence: Evidence) -> dict[Outcome, int]:
    return Counter(
        attempt.outcome for job in evidence.jobs.values() for attempt in job.attempts if attempt.outcome
    )


def by_victim(evidence: Evidence) -> dict[str, int]:
    return Counter(line["victim"] for line in planned(evidence))


def planned(evidence: Evidence) -> list[Line]:
    """The kills, without those that the end of an earlier run was."""
    return [line for line in evidence.kills if line["number"]]


def refusals(evidence: Evidence) -> dict[str, int]:
    """How often the API did not answer a submission with 202, by what happened instead."""
    return Counter(line["what"] for line in evidence.refusals)


def told(evidence: Evidence) -> tuple[int, int, int]:
    """Messages that came to the webhook, the jobs that they told of, and how many came again."""
    messages, different = len(evidence.messages), len({line["id"] for line in evidence.messages})
    return messages, different, messages - different


def until_retired(explained: list[Explained], *victims: Victim) -> Recovery:
    """From the kill of one of these until the queue knew that the attempt was over."""
    return Recovery.of(
        [
            (item.attempt.ended_at or 0) - item.kill["at"]
            for item in explained
            if item.kill is not None and item.kill["victim"] in victims
        ]
    )


def left_files(evidence: Evidence) -> int:
    """Attempts without a result that have left files to the collector: they were killed while storing."""
    jobs = evidence.jobs
    return sum(
        attempt != jobs[job_id].attempt_id or jobs[job_id].status is not Status.SUCCEEDED
        for job_id, attempts in evidence.stored.items()
        for attempt in attempts
    )


@dataclass(frozen=True)
class Pace:
    """How the jobs went by."""

    seconds: float
    """From the first job's end to the last one's."""
    per_second: float
    longest_pause: float
    """Seconds in which no job ended, at worst."""

    @classmethod
    def of(cls, samples: list[Line]) -> "Pace":
        changes = [
            after["at"] for before, after in itertools.pairwise(samples) if before["final"] < after["final"]
        ]
        if len(changes) < 2:
            return cls(0.0, 0.0, 0.0)
        seconds = (changes[-1] - changes[0]) / 1000
        pause = max(b - a for a, b in itertools.pairwise(changes)) / 1000
        return cls(seconds, samples[-1]["final"] / seconds, pause)
