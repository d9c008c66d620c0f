"""A backup taken while workers work: restored into the emptied server, every job ends once."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from infra.backup import restore, take
from infra.jobs.answers import Limits
from infra.jobs.record import Job, Outcome, Status
from tests.contract.jobs_snapshot import Snapshot, check
from tests.integration.api.support import ApiServer
from tests.integration.cluster import FAKE_CATALOG, Cluster, outcomes
from tests.servers import free_port, wait_for

JOBS = 40


@pytest.fixture
def api(cluster: Cluster, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of an API on the cluster's servers."""
    settings = cluster.settings.model_copy(update={"port": free_port(), "catalog": str(FAKE_CATALOG)})
    server = ApiServer(settings, tmp_path).start()
    with server.client() as client:
        yield client
    server.stop()


def test_under_load(cluster: Cluster, api: httpx.Client, tmp_path: Path) -> None:
    # Given two workers in the middle of many jobs, some of which wait for others
    for _ in range(2):
        cluster.start_worker()
    jobs = [cluster.submit("steps=2 sleep=0.02") for _ in range(JOBS // 2)]
    jobs += [cluster.submit("steps=2 sleep=0.02", waits_for=[job.id]) for job in jobs]
    cluster.wait_for_end(jobs[4])
    # When a backup is taken, everything is lost, and the backup restored, all under the workers' feet
    state = cluster.state
    file = tmp_path / "backup"
    counts = take(state, file)
    done = {job.id: api.get(f"/v1/jobs/{job.id}").json() for job in jobs if is_done(cluster, job)}
    state.flushall()
    restore(state, Limits.from_settings(cluster.settings), file)
    # Then all that was accepted ends, once, and is what its record says
    assert counts["job"] == JOBS
    assert len(done) < JOBS
    ended = [cluster.wait_for_end(job, 60) for job in jobs]
    for job in ended:
        assert job.status is Status.SUCCEEDED, job
        assert outcomes(job).count(Outcome.SUCCEEDED) == 1
        assert (job.fails, job.crashes, job.losses) == (0, 0, 0)
        (picture,) = (artifact for artifact in job.artifacts if artifact.role == "output")
        body = api.get(f"/v1/jobs/{job.id}/artifacts/{picture.name}").content
        assert sha256(body).hexdigest() == picture.sha256
    wait_for(lambda: not any(worker.jobs for worker in cluster.queue.workers()), what="idle workers")
    check(Snapshot.take(state), streams=False)
    # and what the backup knew as done is told as before
    same = [job_id for job_id, body in done.items() if api.get(f"/v1/jobs/{job_id}").json() == body]
    assert jobs[4].id in same
    state.close()


def is_done(cluster: Cluster, job: Job) -> bool:
    return cluster.job(job.id).status.final
