"""What is killed, and what becomes of the job: nothing is lost, nothing counts twice, and it goes on in
time.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.jobs.record import Outcome, Status
from tests.integration.cluster import Cluster, last_attempt, now_ms, outcomes, running_cluster
from tests.servers import StateServer, wait_for

LONG = "steps=300 sleep=0.1"
"""A job of half a minute, which the tests below end or outlast."""


@pytest.fixture
def short_leases(tmp_path: Path, state: StateServer, own_broker: StateServer) -> Iterator[Cluster]:
    """A cluster in which a lost worker is missed after four seconds."""
    with running_cluster(tmp_path, state, own_broker, lease_seconds=4.0, beat_seconds=0.25) as cluster:
        yield cluster


def is_gone(pid: int) -> bool:
    """Whether a process has ended, be it as a zombie."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_killed_engine_costs_two_seconds(cluster: Cluster) -> None:
    # Given a job in the midst of its run
    worker = cluster.start_worker()
    job = cluster.submit("steps=60 sleep=0.1")
    cluster.wait_until(job, lambda found: found.progress)
    # When
    killed_at = now_ms()
    os.kill(worker.wait_for_engine(), signal.SIGKILL)
    # Then the attempt is on record within 2 s, and the next one steps within 15 s
    job = cluster.wait_until(job, lambda found: found.attempts[0].outcome)
    ended_at = job.attempts[0].ended_at
    assert ended_at is not None
    assert ended_at - killed_at <= 2000
    assert outcomes(job)[0] is Outcome.CRASHED
    assert job.attempts[0].error is not None
    assert job.attempts[0].error.type == "engine_crashed"
    job = cluster.wait_until(
        job, lambda found: len(found.attempts) == 2 and found.progress and found.progress["step"]
    )
    assert now_ms() - killed_at <= 15_000
    job = cluster.wait_for_end(job)
    assert (job.status, outcomes(job)) == (Status.SUCCEEDED, [Outcome.CRASHED, Outcome.SUCCEEDED])
    assert job.crashes == 1


def test_a_killed_worker_costs_twenty_seconds_when_another_is_idle(cluster: Cluster) -> None:
    # Given two workers, one of which has a job
    cluster.start_worker()
    cluster.start_worker()
    job = cluster.wait_for_status(cluster.submit("steps=40 sleep=0.1"), Status.RUNNING)
    victim = cluster.worker_of(job)
    engine = victim.wait_for_engine()
    # When
    killed_at = now_ms()
    victim.kill()
    # Then its engine ends with it, and the job is claimed again in time, once
    wait_for(lambda: is_gone(engine), 10, "the end of the engine")
    job = cluster.wait_until(job, lambda found: len(found.attempts) == 2, seconds=25)
    assert last_attempt(job).started_at - killed_at <= 20_000
    job = cluster.wait_for_end(job)
    assert (job.status, outcomes(job)) == (Status.SUCCEEDED, [Outcome.LOST, Outcome.SUCCEEDED])
    assert len({attempt.worker for attempt in job.attempts}) == 2
    # and what the lost attempt may have left in its scratch folder goes when a worker starts
    assert len(list((cluster.settings.home / "work").glob("worker-*"))) == 2
    cluster.start_worker()
    assert len(list((cluster.settings.home / "work").glob("worker-*"))) == 2


def test_a_worker_that_was_frozen_is_fenced(short_leases: Cluster) -> None:
    # Given a worker with a job, and an idle one
    cluster = short_leases
    cluster.start_worker()
    cluster.start_worker()
    job = cluster.wait_for_status(cluster.submit("steps=40 sleep=0.1"), Status.RUNNING)
    zombie = cluster.worker_of(job)
    # When it is frozen until another one has its job, and then thawed
    os.kill(zombie.pid, signal.SIGSTOP)
    job = cluster.wait_until(job, lambda found: len(found.attempts) == 2)
    os.kill(zombie.pid, signal.SIGCONT)
    # Then it drops its attempt, and the other one's result stays
    job = cluster.wait_for_end(job)
    assert (job.status, outcomes(job)) == (Status.SUCCEEDED, [Outcome.LOST, Outcome.SUCCEEDED])
    wait_for(lambda: [record["outcome"] for record in zombie.records("attempt.ended")] == ["lost"])
    assert all(key.split("/")[2] == job.attempt_id for key in cluster.stored(job))


def test_a_killed_state_server_costs_no_work(cluster: Cluster, state: StateServer) -> None:
    # Given a running job
    worker = cluster.start_worker()
    job = cluster.submit("steps=30 sleep=0.1")
    cluster.wait_until(job, lambda found: found.progress)
    # When the state server is away until after the run
    state.kill()
    wait_for(
        lambda: len(list(cluster.storage.list(f"local/{job.id}/"))) == 3, what="all files in the storage"
    )
    state.start()
    # Then the job commits, without another attempt
    job = cluster.wait_for_end(job)
    assert (job.status, outcomes(job)) == (Status.SUCCEEDED, [Outcome.SUCCEEDED])
    assert worker.process.poll() is None
    # and the worker takes the next one
    assert cluster.wait_for_end(cluster.submit("steps=1")).status is Status.SUCCEEDED


def test_results_that_cannot_be_committed_for_too_long_are_dropped(
    short_leases: Cluster, state: StateServer
) -> None:
    # Given a worker with little patience, and a state server that goes away in the midst of a run
    cluster = short_leases
    worker = cluster.start_worker(commit_patience_seconds=1.0)
    job = cluster.submit("steps=15 sleep=0.1")
    cluster.wait_until(job, lambda found: found.progress)
    state.kill()
    # When its patience ends
    wait_for(lambda: worker.records("attempt.ended"), 20, "an end of the attempt")
    assert worker.records("attempt.ended")[0]["outcome"] == "lost"
    # Then the files stay, since the commit may count, and the job runs again once its lease has expired
    assert len(list(cluster.storage.list(f"local/{job.id}/"))) == 3
    state.start()
    job = cluster.wait_for_end(job, seconds=40)
    assert (job.status, outcomes(job)) == (Status.SUCCEEDED, [Outcome.LOST, Outcome.SUCCEEDED])


def test_a_killed_broker_delays_a_job_by_four_seconds_at_most(
    cluster: Cluster, own_broker: StateServer
) -> None:
    # Given an idle worker
    worker = cluster.start_worker()
    # When a job is submitted while the broker is away
    own_broker.kill()
    job = cluster.submit("steps=1")
    returned_at = now_ms()
    own_broker.start()
    # Then it starts in time
    job = cluster.wait_for_end(job)
    assert job.started_at is not None
    assert job.started_at - returned_at <= 4000
    # and doorbells are heard again
    wait_for(lambda: _starts_by_doorbell(cluster), 20, "a job that a doorbell starts")
    assert worker.process.poll() is None


def _starts_by_doorbell(cluster: Cluster) -> bool:
    job = cluster.wait_for_end(cluster.submit("steps=1"))
    assert job.started_at is not None
    return job.started_at - job.created_at < 300


def test_a_job_starts_without_its_doorbell(cluster: Cluster) -> None:
    cluster.start_worker()
    silent = Cluster(cluster.settings, cluster.folder)  # it rings nobody
    job = silent.wait_for_end(silent.submit("steps=1"))
    assert job.started_at is not None
    assert job.started_at - job.created_at <= 1000 * cluster.settings.idle_claim_seconds + 5000


def test_a_drain_finishes_the_job(cluster: Cluster) -> None:
    worker = cluster.start_worker()
    job = cluster.submit("steps=20 sleep=0.1")
    cluster.wait_until(job, lambda found: found.progress)
    worker.terminate()
    waiting = cluster.submit("steps=1")
    assert worker.wait() == 0
    job = cluster.job(job.id)
    assert (job.status, outcomes(job)) == (Status.SUCCEEDED, [Outcome.SUCCEEDED])
    assert cluster.job(waiting.id).status is Status.QUEUED, "a draining worker claims no more"
    assert not cluster.queue.workers(), "it has taken its leave"


def test_an_idle_worker_ends_at_once(cluster: Cluster) -> None:
    worker = cluster.start_worker()
    worker.terminate()
    assert worker.wait() == 0


def test_a_worker_ends_although_its_servers_are_away(
    cluster: Cluster, state: StateServer, own_broker: StateServer
) -> None:
    worker = cluster.start_worker()
    own_broker.kill()
    state.kill()
    wait_for(lambda: worker.records("claim.failed"), what="a claim that fails")
    worker.terminate()
    assert worker.wait() == 0


def test_what_a_drain_cannot_finish_is_given_back_uncounted(cluster: Cluster) -> None:
    worker = cluster.start_worker(drain_seconds=1.0)
    job = cluster.submit(LONG)
    cluster.wait_until(job, lambda found: found.progress)
    worker.terminate()
    assert worker.wait() == 0
    job = cluster.job(job.id)
    assert (job.status, outcomes(job)) == (Status.QUEUED, [Outcome.RELEASED])
    assert (job.fails, job.crashes, job.losses) == (0, 0, 0)
    assert cluster.stored(job) == []


def test_a_second_signal_gives_the_job_back_at_once(cluster: Cluster) -> None:
    worker = cluster.start_worker()
    job = cluster.submit(LONG)
    cluster.wait_until(job, lambda found: found.progress)
    os.kill(worker.pid, signal.SIGINT)
    wait_for(lambda: worker.records("drain.begun"), what="the beginning of the drain")
    asked_at = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.wait() == 0
    assert time.monotonic() - asked_at < 10, "the drain had 30 s, the job as many"
    assert outcomes(cluster.job(job.id)) == [Outcome.RELEASED]


def test_an_engine_ends_with_its_worker_even_when_it_hears_nothing(cluster: Cluster) -> None:
    worker = cluster.start_worker()
    job = cluster.submit("gil=60")
    cluster.wait_until(job, lambda found: found.progress)
    engine = worker.wait_for_engine()
    worker.kill()
    wait_for(lambda: is_gone(engine), 10, "the end of an engine that holds the GIL")
