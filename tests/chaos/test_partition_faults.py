"""Networks that fall silent between a worker and what it needs: nothing is refused, nothing is closed."""

from collections.abc import Callable

import pytest

from infra.jobs.record import Outcome, Status
from tests.chaos.matrix import Seen, fault
from tests.chaos.proxy import Proxy, Way
from tests.chaos.truth import consistent, only_results_remain, succeeded_once
from tests.integration.cluster import Cluster, now_ms, outcomes
from tests.servers import S3Server, StateServer, wait_for


@fault(
    17,
    "A partition between a worker and the state server, longer than the lease",
    "another worker finishes the job, the first one is fenced off",
)
@pytest.mark.parametrize(
    "way",
    [
        pytest.param(Way.HUNG, id="both ways"),
        pytest.param(Way.DEAF, id="replies only", marks=pytest.mark.slow),
    ],
)
def test_a_worker_is_cut_off_from_the_state_server(
    cluster: Cluster, state: StateServer, start_proxy: Callable[..., Proxy], way: Way, seen: Seen
) -> None:
    # Given two workers, each with its own way to the state server, one of which has a job
    ways = {}
    for _ in range(2):
        proxy = start_proxy(state.socket)
        ways[cluster.start_worker(redis_url=proxy.redis_url).pid] = proxy
    job = cluster.wait_for_status(cluster.submit("steps=30 sleep=0.1"), Status.RUNNING)
    lonely = cluster.worker_of(job)
    # When the partition outlasts the other one's work
    cut_at = now_ms()
    ways[lonely.pid].way = way
    done = succeeded_once(cluster, job)
    ways[lonely.pid].way = Way.OPEN
    # Then
    wait_for(lambda: lonely.records("attempt.ended"), 60, "the end of the first attempt")
    assert lonely.records("attempt.ended")[0]["outcome"] == "lost"
    assert outcomes(done) == [Outcome.LOST, Outcome.SUCCEEDED]
    assert cluster.job(job.id) == done
    # and the first worker works again
    wait_for(lambda: len([info for info in cluster.queue.workers() if info.parked]) == 2, what="two workers")
    only_results_remain(cluster, done)
    consistent(cluster)
    seen("one result; the late attempt ended as `lost`", (done.attempts[1].started_at - cut_at) / 1000)


@fault(
    18,
    "A partition between worker and S3 that ends in time",
    "the upload is tried again within the attempt, whose lease is kept",
)
def test_a_worker_is_cut_off_from_its_storage_for_a_while(
    make_cluster: Callable[..., Cluster],
    state: StateServer,
    own_rclone: S3Server,
    start_proxy: Callable[..., Proxy],
    seen: Seen,
) -> None:
    # Given a worker that reaches S3 through a proxy
    proxy = start_proxy(("127.0.0.1", own_rclone.port))
    cluster = make_cluster(state, storage_url=own_rclone.url())
    worker = cluster.start_worker(storage_url=through(proxy, cluster, own_rclone))
    # When the way is silent for longer than the lease
    proxy.way = Way.HUNG
    job = cluster.submit("steps=1")
    wait_for(lambda: worker.records("service.away"), 20, "an upload that is tried again")
    job = cluster.wait_for_status(job, Status.RUNNING)
    beyond = job.attempts[0].started_at + 1000 * cluster.settings.lease_seconds + 500
    wait_for(lambda: now_ms() > beyond, what="the end of a lease that is not renewed")
    opened_at = now_ms()
    proxy.way = Way.OPEN
    # Then
    job = succeeded_once(cluster, job)
    assert outcomes(job) == [Outcome.SUCCEEDED]
    assert job.finished_at is not None
    consistent(cluster)
    seen("one attempt", (job.finished_at - opened_at) / 1000)


@pytest.mark.slow
@fault(
    18,
    "A partition between worker and S3 that outlasts the time to store",
    "the attempt fails with a reason and the job is tried again, its lease kept until then",
)
def test_a_worker_is_cut_off_from_its_storage_for_long(
    make_cluster: Callable[..., Cluster],
    state: StateServer,
    own_rclone: S3Server,
    start_proxy: Callable[..., Proxy],
    seen: Seen,
) -> None:
    # Given a worker with little time to store
    proxy = start_proxy(("127.0.0.1", own_rclone.port))
    cluster = make_cluster(state, storage_url=own_rclone.url())
    url = through(proxy, cluster, own_rclone)
    worker = cluster.start_worker(storage_url=url, store_timeout_seconds=4.0)
    # When the time is up
    proxy.way = Way.HUNG
    job = cluster.submit("steps=1")
    job = cluster.wait_until(job, lambda found: found.attempts and found.attempts[0].outcome)
    opened_at = now_ms()
    proxy.way = Way.OPEN
    # Then
    job = succeeded_once(cluster, job)
    assert outcomes(job)[0] is Outcome.FAILED
    assert job.attempts[0].error is not None
    assert (job.attempts[0].error.type, job.losses) == ("storage_failed", 0)
    assert job.finished_at is not None
    assert worker.process.poll() is None
    only_results_remain(cluster, job)
    consistent(cluster)
    seen(f"`{job.attempts[0].error.type}`, then a result", (job.finished_at - opened_at) / 1000)


def through(proxy: Proxy, cluster: Cluster, server: S3Server) -> str:
    """The cluster's storage, by way of the proxy."""
    return cluster.settings.storage_url.replace(f":{server.port}/", f":{proxy.port}/")
