"""What happens to doorbells: flushed, removed, a thousand too many, lost in a dead worker's socket."""

import os
import signal
from collections.abc import Callable

import psutil
import pytest
import redis

from infra.broker import KEY_PREFIX
from infra.jobs.record import Job
from tests.chaos.matrix import Seen, fault
from tests.chaos.proxy import Proxy, Way
from tests.chaos.truth import consistent, succeeded_once
from tests.integration.cluster import Cluster, WorkerProcess, now_ms
from tests.servers import StateServer, freeze, wait_for

WAITING = f"{KEY_PREFIX}image"
"""The list of doorbells that nobody has taken yet."""

DOORBELLS = 1000


def start_seconds(job: Job) -> float:
    assert job.started_at is not None
    return (job.started_at - job.created_at) / 1000


@fault(13, "FLUSHALL on the broker", "waiting jobs start all the same, and doorbells are heard again")
def test_the_broker_is_flushed(
    cluster: Cluster, own_broker: StateServer, start_proxy: Callable[..., Proxy], seen: Seen
) -> None:
    # Given an idle worker that has lost its broker, and jobs whose doorbells wait there
    proxy = start_proxy(own_broker.socket)
    cluster.start_worker(broker_url=proxy.redis_url)
    with own_broker.client() as broker:
        cut_off(proxy, broker)
        jobs = [cluster.submit("steps=1") for _ in range(5)]
        # When
        broker.flushall()
    flushed_at = now_ms()
    proxy.way = Way.OPEN
    # Then
    ended_at = max(succeeded_once(cluster, job).finished_at or 0 for job in jobs)
    wait_for(lambda: rung(cluster), 20, "a job that a doorbell starts")
    consistent(cluster)
    seen("all 5 waiting jobs done; doorbells ring again", (ended_at - flushed_at) / 1000)


def cut_off(proxy: Proxy, broker: redis.Redis) -> None:
    """Part the worker from its broker, which no longer has anybody to hand a doorbell to."""
    proxy.way = Way.CUT
    wait_for(lambda: all(client["cmd"] != "brpop" for client in broker.client_list()))


def rung(cluster: Cluster) -> bool:
    """Whether a job starts sooner than a worker would look by itself."""
    job = succeeded_once(cluster, cluster.submit("steps=1"))
    return start_seconds(job) < 0.3 * cluster.settings.idle_claim_seconds


@fault(14, "The broker's list of doorbells is removed", "the waiting job starts within 5 s")
def test_doorbells_are_removed(
    make_cluster: Callable[..., Cluster],
    state: StateServer,
    own_broker: StateServer,
    start_proxy: Callable[..., Proxy],
    seen: Seen,
) -> None:
    # Given an idle worker that looks for work every 2 s (the default), and has lost its broker
    cluster = make_cluster(state, idle_claim_seconds=2.0)
    proxy = start_proxy(own_broker.socket)
    cluster.start_worker(broker_url=proxy.redis_url)
    with own_broker.client() as broker:
        cut_off(proxy, broker)
        # When the doorbell of a job goes before anybody has heard it
        job = cluster.submit("steps=1")
        broker.delete(WAITING)
    removed_at = now_ms()
    proxy.way = Way.OPEN
    # Then
    job = succeeded_once(cluster, job)
    assert job.started_at is not None
    recovery = max(0.0, (job.started_at - removed_at) / 1000)
    assert recovery < 5
    consistent(cluster)
    seen("the worker found the job by itself", recovery)


@pytest.mark.slow
@fault(15, "1,000 doorbells for nothing", "each costs the worker less than 5 ms; then it works as before")
def test_a_thousand_doorbells(cluster: Cluster, own_broker: StateServer, seen: Seen) -> None:
    # Given
    worker = cluster.start_worker()
    succeeded_once(cluster, cluster.submit("steps=1"))
    process = psutil.Process(worker.pid)
    before = sum(process.cpu_times()[:2])
    # When
    with own_broker.client() as broker:
        for _ in range(DOORBELLS):
            cluster.ring("image", "job_nobody")
        wait_for(lambda: not broker.llen(WAITING), 60, "the end of the doorbells")
    each = (sum(process.cpu_times()[:2]) - before) / DOORBELLS
    # Then
    assert each < 0.005
    job = succeeded_once(cluster, cluster.submit("steps=1"))
    consistent(cluster)
    seen(f"{each * 1000:.1f} ms of processor time each; the next job started", start_seconds(job))


@fault(
    16,
    "SIGSTOP an idle worker, ring, kill -9 it: the doorbell was in its socket",
    "the job starts on another worker that looks by itself",
)
def test_a_doorbell_dies_with_its_worker(
    make_cluster: Callable[..., Cluster],
    state: StateServer,
    own_broker: StateServer,
    start_proxy: Callable[..., Proxy],
    seen: Seen,
) -> None:
    # Given an idle worker that hears no doorbells, and a frozen one that was given the job's
    cluster = make_cluster(state, idle_claim_seconds=2.0)
    deaf = start_proxy(own_broker.socket)
    deaf.way = Way.CUT
    victim = cluster.start_worker()
    cluster.start_worker(broker_url=deaf.redis_url)
    job = swallowed_by(victim, cluster, own_broker)
    # When
    victim.kill()
    # Then
    job = succeeded_once(cluster, job)
    assert start_seconds(job) < 5
    wait_for(lambda: len(cluster.queue.workers()) == 1, what="the end of the dead worker's registration")
    consistent(cluster)
    seen("the other worker found the job by itself", start_seconds(job))


def swallowed_by(worker: WorkerProcess, cluster: Cluster, broker: StateServer) -> Job:
    """A job whose doorbell this worker, frozen now, has been handed. It waits on the broker most of the time,
    not always.
    """
    with broker.client() as client:
        for _ in range(20):
            freeze(worker.pid)
            job = cluster.submit("steps=1")
            if not client.llen(WAITING):
                return job
            os.kill(worker.pid, signal.SIGCONT)
            succeeded_once(cluster, job)
    raise AssertionError("the worker never waits on the broker")
