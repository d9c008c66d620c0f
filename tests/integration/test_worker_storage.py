"""A worker whose storage is away for a while: it waits, and what it cannot wait for is tried again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.jobs.record import Outcome, Status
from tests.integration.cluster import Cluster, outcomes, running_cluster
from tests.servers import S3Server, StateServer, wait_for


@pytest.fixture
def cluster(
    tmp_path: Path, state: StateServer, own_broker: StateServer, own_rclone: S3Server
) -> Iterator[Cluster]:
    """A cluster with an S3 server that the test may freeze."""
    changes = {"storage_url": own_rclone.url(), "beat_seconds": 0.25}
    with running_cluster(tmp_path, state, own_broker, **changes) as cluster:
        yield cluster


def test_a_storage_that_comes_back_costs_no_attempt(cluster: Cluster, own_rclone: S3Server) -> None:
    # Given a running job, whose storage hangs
    worker = cluster.start_worker()
    job = cluster.submit("steps=10 sleep=0.1")
    cluster.wait_until(job, lambda found: found.progress)
    own_rclone.freeze()
    # When it answers again, after the worker has noticed
    wait_for(lambda: worker.records("service.away"), 30, "a worker that waits for the storage")
    own_rclone.thaw()
    # Then the job is done in one attempt
    job = cluster.wait_for_end(job, seconds=30)
    assert (job.status, outcomes(job)) == (Status.SUCCEEDED, [Outcome.SUCCEEDED])


def test_a_storage_that_stays_away_costs_the_attempt_only(cluster: Cluster, own_rclone: S3Server) -> None:
    # Given a worker with little time for storing, and a storage that hangs for longer
    cluster.start_worker(store_timeout_seconds=1.0)
    job = cluster.submit("steps=10 sleep=0.1")
    cluster.wait_until(job, lambda found: found.progress)
    own_rclone.freeze()
    # When its attempt has failed
    job = cluster.wait_until(job, lambda found: found.attempts[0].outcome, seconds=40)
    assert outcomes(job)[0] is Outcome.FAILED
    error = job.attempts[0].error
    assert error is not None
    assert (error.type, error.retryable) == ("storage_failed", True)
    assert "127.0.0.1" not in error.detail
    own_rclone.thaw()
    # Then the next one succeeds
    job = cluster.wait_for_end(job, seconds=60)
    assert job.status is Status.SUCCEEDED
