"""An S3 server in trouble: writes fail or arrive damaged, and are repeated until all is there."""

from collections.abc import Callable, Iterator

import pytest

from infra.jobs.record import Outcome, Status
from tests.chaos.matrix import Seen, fault
from tests.chaos.s3_faults import Trouble, TroubledS3
from tests.integration.cluster import Cluster, outcomes
from tests.servers import S3Server, StateServer

FILES = 3  # a picture, its thumbnail and the manifest


@pytest.fixture
def troubled(s3_rclone: S3Server) -> Iterator[TroubledS3]:
    server = TroubledS3(s3_rclone.port)
    yield server
    server.close()


@pytest.fixture
def cluster(
    troubled: TroubledS3, s3_rclone: S3Server, make_cluster: Callable[..., Cluster], state: StateServer
) -> Cluster:
    """With a worker that stores by way of the troubled server, each job for at most eight seconds."""
    cluster = make_cluster(state, storage_url=troubled.url(s3_rclone.url()), store_timeout_seconds=8.0)
    cluster.start_worker()
    return cluster


@fault(
    19,
    "The S3 server answers 503, answers late, resets connections, loses an answer, or stores something else"
    " (another ETag)",
    "the write is repeated within the attempt; no manifest before all files are whole",
)
@pytest.mark.parametrize("trouble", list(Trouble), ids=lambda trouble: trouble.name.lower())
def test_a_write_that_fails_is_repeated(
    trouble: Trouble, troubled: TroubledS3, cluster: Cluster, seen: Seen
) -> None:
    # When the first file's first two writes end badly
    troubled.plan += [trouble, trouble]
    job = cluster.wait_for_end(cluster.submit("steps=1"), seconds=40)
    # Then the job succeeds in its first attempt, with every byte as the record says
    assert (job.status, outcomes(job)) == (Status.SUCCEEDED, [Outcome.SUCCEEDED])
    for artifact in job.artifacts:
        assert len(cluster.read_artifact(job, artifact.name)) == artifact.bytes
    names = [path.rsplit("/", 1)[1] for path in troubled.puts]
    assert names[-1] == "manifest.json"
    assert len(names) >= FILES + (0 if trouble is Trouble.SLOW else 2)
    seen(f"{len(names)} writes for {FILES} files, one attempt")


@fault(
    19,
    "The S3 server answers 503 for as long as a job may store",
    "`storage_failed`, no manifest, worker alive",
)
@pytest.mark.slow
def test_a_server_that_stays_in_trouble_fails_the_job(
    troubled: TroubledS3, cluster: Cluster, seen: Seen
) -> None:
    # When
    troubled.plan += [Trouble.UNAVAILABLE] * 1000
    job = cluster.wait_for_end(cluster.submit("steps=1", max_attempts=2), seconds=60)
    # Then
    assert (job.status, outcomes(job)) == (Status.FAILED, [Outcome.FAILED, Outcome.FAILED])
    assert job.error is not None
    assert job.error.type == "storage_failed"
    assert not any(path.endswith("manifest.json") for path in troubled.puts)
    # and with the server well again, the next job succeeds
    troubled.plan.clear()
    after = cluster.wait_for_end(cluster.submit("steps=1"), seconds=30)
    assert after.status is Status.SUCCEEDED
    seen("failed after 2 attempts, the next job succeeded")
