"""What is left of a job that was deleted while it ran: nothing."""

import json

from infra.collector import collect
from infra.connections import connect
from infra.jobs.live import LAST
from infra.jobs.record import Job, Status
from infra.jobs.scripts import PREFIX
from infra.uploads import Uploads
from tests.contract.jobs_snapshot import Snapshot
from tests.integration.cluster import OWNER, Cluster
from tests.servers import wait_for


def mentions(cluster: Cluster, job: Job) -> set[str]:
    """Keys of the state server that name the job, or hold its id."""
    data = Snapshot.take(cluster.state).data
    return {key for key, value in data.items() if job.id in key + json.dumps(value)}


def collected(cluster: Cluster) -> None:
    uploads = Uploads(cluster.state, expires_seconds=60, owner_bytes=1)
    collect(cluster.queue, uploads, cluster.storage)


def wait_until_told(cluster: Cluster) -> None:
    """A worker says with its next heartbeat that it has the job no more."""
    wait_for(lambda: not any(info.jobs for info in cluster.queue.workers()), what="the next heartbeat")


def test_a_job_deleted_in_the_midst_of_its_run_leaves_nothing(cluster: Cluster) -> None:
    # Given a job that runs, has a webhook, and another that waits for it
    worker = cluster.start_worker()
    job = cluster.submit("steps=300 sleep=0.1 preview", webhook="we_1")
    heir = cluster.submit("steps=1", waits_for=[job.id])
    job = cluster.wait_until(job, lambda found: found.progress)
    assert list((cluster.settings.home / "work").glob(f"*/{job.attempt_id}")), "its scratch folder"
    # When its owner deletes it
    assert cluster.queue.delete(job.id, OWNER) is None
    # Then the worker stops, and the collector removes what is left
    wait_for(lambda: worker.records("attempt.ended"), 20, "the end of the attempt")
    wait_until_told(cluster)
    collected(cluster)
    attempt_key = f"a:{job.attempt_id}"
    assert mentions(cluster, job) == {attempt_key, f"j:{heir.id}"}, (
        "the heir's record still says for whom it waited"
    )
    assert cluster.job(heir.id).status is Status.CANCELLED
    assert 0 < cluster.state.ttl(PREFIX + attempt_key) <= 3600, "an answer for a worker that asks again"
    with connect(cluster.settings.broker_address) as broker:
        assert 0 < broker.ttl(LAST + job.id) <= 60
    assert cluster.stored(job) == []
    assert not list((cluster.settings.home / "work").glob(f"*/{job.attempt_id}"))


def test_a_job_deleted_while_its_files_are_stored_leaves_none(cluster: Cluster) -> None:
    """The commit comes too late, and takes back what it would have named."""
    worker = cluster.start_worker()
    job = cluster.submit("steps=2 sleep=0.2 big=20000000 encode=0.3")
    cluster.wait_until(job, lambda found: cluster.stored(job), what="a stored file")
    cluster.queue.delete(job.id, OWNER)
    wait_for(lambda: worker.records("attempt.ended"), 20, "the end of the attempt")
    wait_until_told(cluster)
    collected(cluster)
    assert cluster.stored(job) == []
    assert mentions(cluster, job) <= {f"a:{attempt_id}" for attempt_id in _attempts(worker.records())}


def _attempts(records: list[dict[str, str]]) -> set[str]:
    return {record["attempt_id"] for record in records if "attempt_id" in record}
