"""What happens to workers: killed, frozen, cut off from power, told to end."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from infra.jobs.record import Job, Outcome, Status
from infra.jobs.scripts import digest
from infra.storage.keys import MANIFEST
from tests.chaos.matrix import Seen, fault
from tests.chaos.proxy import Proxy, Way
from tests.chaos.truth import consistent, only_results_remain, succeeded_once
from tests.integration.cluster import Cluster, WorkerProcess, now_ms, outcomes
from tests.servers import StateServer, wait_for

LOST_ONCE = [Outcome.LOST, Outcome.SUCCEEDED]
SOME_SECONDS = "steps=30 sleep=0.1"
ENDLESS = "steps=600 sleep=0.1"


def claimed_again(cluster: Cluster, job: Job, since: int, seconds: float = 20.0) -> float:
    """Seconds from `since` (ms) to the second claim."""
    job = cluster.wait_until(job, lambda found: len(found.attempts) > 1, seconds, "a second attempt")
    return (job.attempts[1].started_at - since) / 1000


@pytest.mark.slow
@fault(
    1,
    "kill -9 a worker in the midst of a step, with the default lease of 15 s",
    "claimed again within 17 s by the idle worker, one result",
)
def test_a_worker_is_killed(make_cluster: Callable[..., Cluster], state: StateServer, seen: Seen) -> None:
    # Given two workers with the defaults, one of which has a job
    cluster = make_cluster(state, lease_seconds=15.0, beat_seconds=3.0, tick_seconds=1.0)
    cluster.start_worker()
    cluster.start_worker()
    job = cluster.wait_for_status(cluster.submit("steps=40 sleep=0.1"), Status.RUNNING)
    # When
    victim = cluster.worker_of(job)
    killed_at = now_ms()
    victim.kill()
    # Then
    recovery = claimed_again(cluster, job, killed_at, 25)
    assert recovery <= 17
    assert outcomes(succeeded_once(cluster, job)) == LOST_ONCE
    consistent(cluster)
    seen("the idle worker claimed it; one result, counters exact", recovery)


@fault(
    2,
    "kill -9 a worker between its last artifact and the commit",
    "one result; the collector takes the dead attempt's files",
)
def test_a_worker_is_killed_before_the_commit(cluster: Cluster, seen: Seen) -> None:
    # Given a worker that dies there
    worker = cluster.run_worker("--device", "cpu", crash_at="before_commit")
    job = cluster.submit("a star", inputs={"n": 2})
    worker.wait(40)
    killed_at = now_ms()
    dead = cluster.stored(job)
    assert any(key.endswith(MANIFEST) for key in dead)
    # When
    cluster.start_worker()
    # Then
    recovery = claimed_again(cluster, job, killed_at)
    job = succeeded_once(cluster, job)
    assert outcomes(job) == LOST_ONCE
    assert set(dead) < set(cluster.stored(job))
    only_results_remain(cluster, job)
    consistent(cluster)
    seen(f"run again, one result; the {len(dead)} files of the dead attempt were collected", recovery)


@fault(
    3, "kill -9 a worker after the commit, before it hears of it", "the job is done and does not run again"
)
def test_a_worker_is_killed_after_the_commit(
    cluster: Cluster, state: StateServer, start_proxy: Callable[..., Proxy], seen: Seen
) -> None:
    # Given a worker that hears no answer to a commit, from its second job on
    proxy = start_proxy(state.socket)
    worker = cluster.start_worker(redis_url=proxy.redis_url)
    succeeded_once(cluster, cluster.submit("a star"))
    proxy.lose_replies(1000, to=digest("commit", flags=True).encode())
    job = cluster.submit("a star")
    # When its commit has counted
    cluster.wait_for_status(job, Status.SUCCEEDED)
    worker.kill()
    # Then another worker has nothing to do, also when the dead one is missed
    cluster.start_worker()
    wait_for(lambda: len(cluster.queue.workers()) == 1, what="the end of the dead worker's registration")
    job = succeeded_once(cluster, job)
    assert outcomes(job) == [Outcome.SUCCEEDED]
    consistent(cluster)
    seen("one attempt, one result; the other worker stayed idle")


@pytest.mark.slow
@fault(
    4,
    "SIGSTOP a worker until another one has finished its job, then SIGCONT",
    "the frozen one is fenced off, the newer result stays",
)
def test_a_worker_is_frozen(cluster: Cluster, seen: Seen) -> None:
    # Given
    cluster.start_worker()
    cluster.start_worker()
    job = cluster.wait_for_status(cluster.submit(SOME_SECONDS), Status.RUNNING)
    zombie = cluster.worker_of(job)
    # When
    frozen_at = now_ms()
    with frozen(zombie):
        recovery = claimed_again(cluster, job, frozen_at)
        done = succeeded_once(cluster, job)
    # Then
    wait_for(lambda: zombie.records("attempt.ended"), what="the end of the frozen attempt")
    assert zombie.records("attempt.ended")[0]["outcome"] == "lost"
    assert cluster.job(job.id) == done
    only_results_remain(cluster, done)
    consistent(cluster)
    seen("its attempt ended as `lost` and its files went; the newer result is unchanged", recovery)


@contextmanager
def frozen(worker: WorkerProcess) -> Iterator[None]:
    """The worker and its engine, stopped within the block."""
    pids = [worker.pid, worker.wait_for_engine()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
@fault(
    5,
    "The power of a worker's host goes: its processes end, its connections stay open",
    "as 1",
    stand_in="a proxy that falls silent, and kill -9 of worker and engine",
)
def test_a_host_loses_power(
    cluster: Cluster,
    state: StateServer,
    own_broker: StateServer,
    start_proxy: Callable[..., Proxy],
    seen: Seen,
) -> None:
    # Given two workers that reach their servers through proxies, one of which has a job
    proxies = {}
    for _ in range(2):
        ways = [start_proxy(state.socket), start_proxy(own_broker.socket)]
        worker = cluster.start_worker(redis_url=ways[0].redis_url, broker_url=ways[1].redis_url)
        proxies[worker.pid] = ways
    job = cluster.wait_for_status(cluster.submit(SOME_SECONDS), Status.RUNNING)
    victim = cluster.worker_of(job)
    # When
    for proxy in proxies[victim.pid]:
        proxy.way = Way.HUNG
    killed_at = now_ms()
    os.kill(victim.wait_for_engine(), signal.SIGKILL)
    victim.kill()
    # Then
    recovery = claimed_again(cluster, job, killed_at)
    assert outcomes(succeeded_once(cluster, job)) == LOST_ONCE
    consistent(cluster)
    seen("no connection was closed, and the lease ran out all the same", recovery)


@pytest.mark.slow
@fault(6, "SIGTERM during a job that ends in time", "the job is finished, then the worker ends")
def test_a_drain_in_time(cluster: Cluster, seen: Seen) -> None:
    worker = cluster.start_worker()
    job = cluster.submit("steps=10 sleep=0.1")
    cluster.wait_until(job, lambda found: found.progress)
    worker.terminate()
    assert worker.wait() == 0
    assert outcomes(succeeded_once(cluster, job)) == [Outcome.SUCCEEDED]
    consistent(cluster)
    seen("exit status 0, one attempt, one result")


@pytest.mark.slow
@fault(6, "SIGTERM during a job that takes longer than the drain", "given back without counting against it")
def test_a_drain_that_is_too_short(cluster: Cluster, seen: Seen) -> None:
    worker = cluster.start_worker(drain_seconds=1.0)
    job = cluster.submit(ENDLESS)
    cluster.wait_until(job, lambda found: found.progress)
    worker.terminate()
    assert worker.wait() == 0
    released(cluster, job)
    seen("released at the end of the drain of 1 s; crashes, failures and losses stay 0")


@pytest.mark.slow
@fault(7, "A second SIGTERM during the drain", "the job is given back at once, without counting against it")
def test_a_second_sigterm(cluster: Cluster, seen: Seen) -> None:
    worker = cluster.start_worker()
    job = cluster.submit(ENDLESS)
    cluster.wait_until(job, lambda found: found.progress)
    worker.terminate()
    wait_for(lambda: worker.records("drain.begun"), what="the beginning of the drain")
    asked_at = time.monotonic()
    worker.terminate()
    assert worker.wait() == 0
    took = time.monotonic() - asked_at
    assert took < 10, "the drain had 30 s"
    released(cluster, job)
    seen("better than 1: nothing is lost, so nothing need run out", took)


def released(cluster: Cluster, job: Job) -> None:
    """The job waits as if it had not been begun."""
    job = cluster.job(job.id)
    assert (job.status, outcomes(job)) == (Status.QUEUED, [Outcome.RELEASED])
    assert (job.fails, job.crashes, job.losses) == (0, 0, 0)
    assert cluster.stored(job) == []
    consistent(cluster)
