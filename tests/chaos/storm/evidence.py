"""All that is left after a storm, read once everything is quiet: ledgers, records, events, stored files."""

from dataclasses import dataclass
from pathlib import Path

import redis

from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.jobs.record import Job
from infra.jobs.scripts import PREFIX
from tests.chaos.storm.deployment import Deployment
from tests.chaos.storm.ledger import Ledgers, Line
from tests.contract.jobs_snapshot import Snapshot
from tests.servers import wait_for

CHUNK = 500
PATIENCE_SECONDS = 120.0
"""For the one script that reads everything."""


@dataclass(frozen=True)
class Evidence:
    """What the checks look at."""

    accepted: list[Line]
    refusals: list[Line]
    messages: list[Line]
    kills: list[Line]
    ends: list[Line]
    samples: list[Line]
    snapshot: Snapshot
    events: dict[str, list[str]]
    """The types of each job's events, in order."""
    stored: dict[str, dict[str, set[str]]]
    """Names of the files of each attempt of each job."""

    @property
    def jobs(self) -> dict[str, Job]:
        return self.snapshot.jobs

    @classmethod
    def gather(cls, deployment: Deployment, ledgers: Ledgers) -> "Evidence":
        """Workers must be drained. Those that were killed are waited for: the queue forgets them in time."""
        state = deployment.state_client(timeout=PATIENCE_SECONDS)
        queue = JobQueue(state, limits=Limits.from_settings(deployment.settings))
        wait_for(lambda: not queue.workers(), PATIENCE_SECONDS, "the end of all registrations of workers")
        snapshot = Snapshot.take(state)
        return cls(
            accepted=ledgers.accepted.lines(),
            refusals=ledgers.refusals.lines(),
            messages=ledgers.messages.lines(),
            kills=ledgers.kills.lines(),
            ends=ledgers.ends.lines(),
            samples=ledgers.samples.lines(),
            snapshot=snapshot,
            events=_events(state, list(snapshot.jobs)),
            stored=_stored(deployment.bucket_folder),
        )


def _events(state: redis.Redis, job_ids: list[str]) -> dict[str, list[str]]:
    found = {}
    for start in range(0, len(job_ids), CHUNK):
        ids = job_ids[start : start + CHUNK]
        pipe = state.pipeline(transaction=False)
        for job_id in ids:
            pipe.xrange(f"{PREFIX}ev:{job_id}")
        for job_id, entries in zip(ids, pipe.execute(), strict=True):
            found[job_id] = [fields["type"] for _, fields in entries]
    return found


def _stored(folder: Path) -> dict[str, dict[str, set[str]]]:
    """Read from the S3 server's own disk: <bucket>/<owner>/<job>/<attempt>/<name>."""
    found: dict[str, dict[str, set[str]]] = {}
    for path in folder.glob("*/*/job_*/*/*"):
        job_id, attempt_id, name = path.parts[-3:]
        found.setdefault(job_id, {}).setdefault(attempt_id, set()).add(name)
    return found
