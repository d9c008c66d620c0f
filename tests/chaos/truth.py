"""What must be true after every fault: one visible result, no contradiction, nothing left over."""

from hashlib import sha256

from infra.jobs.events import Events
from infra.jobs.record import Job, Outcome, Status
from infra.search import search
from infra.storage.keys import artifact_key
from infra.uploads import Uploads
from tests.contract.jobs_snapshot import Snapshot, check
from tests.integration.cluster import Cluster, outcomes


def succeeded_once(cluster: Cluster, job: Job, seconds: float = 30.0) -> Job:
    """The job at its end: one attempt has succeeded, was told once, and its files have their digests."""
    job = cluster.wait_for_end(job, seconds)
    assert job.status is Status.SUCCEEDED, job
    assert outcomes(job).count(Outcome.SUCCEEDED) == 1, job.attempts
    assert [attempt.id for attempt in job.attempts if attempt.outcome is Outcome.SUCCEEDED] == [
        job.attempt_id
    ]
    assert ended(cluster, job) == ["job.succeeded"]
    assert job.manifest is not None
    assert sha256(cluster.storage.read(job.manifest)).hexdigest() == job.manifest_sha256
    for artifact in job.artifacts:
        assert sha256(cluster.read_artifact(job, artifact.name)).hexdigest() == artifact.sha256
    return job


def ended(cluster: Cluster, job: Job) -> list[str]:
    """The final events that were told of a job."""
    events = Events(cluster.state).read(job.id, after="0-0")
    finals = {f"job.{status.value}" for status in Status if status.final}
    return [event.type for event in events if event.type in finals]


def consistent(cluster: Cluster) -> None:
    """Every counter is exact, every job in one place, every lease somebody's."""
    check(Snapshot.take(cluster.state))


def only_results_remain(cluster: Cluster, *jobs: Job) -> None:
    """The collector takes what lost attempts have stored, and leaves each job's result."""
    uploads = Uploads(cluster.state, expires_seconds=3600, owner_bytes=1)
    search(cluster.queue, uploads, cluster.storage, older_than_seconds=-1)
    for job in jobs:
        assert job.attempt_id is not None
        assert job.manifest is not None
        files = [artifact_key(job.owner, job.id, job.attempt_id, artifact.name) for artifact in job.artifacts]
        assert cluster.stored(job) == sorted([*files, job.manifest])
