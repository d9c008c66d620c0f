"""Several workers: they share the work, keep to their queues, and end together when they are one fleet."""

import json
import os
import signal
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.jobs.record import Outcome, Status
from infra.storage.keys import attempt_prefix
from tests.integration.cluster import Cluster, last_attempt, outcomes, running_cluster
from tests.servers import S3Server, StateServer, free_port, wait_for


@pytest.fixture
def s3_cluster(tmp_path: Path, redis7: StateServer, s3_rclone: S3Server) -> Iterator[Cluster]:
    """Everything on one Redis and one S3 server, as on a small cluster."""
    changes = {"broker_url": redis7.url, "storage_url": s3_rclone.url()}
    with running_cluster(tmp_path, redis7, redis7, **changes) as cluster:
        yield cluster


def test_three_workers_share_thirty_jobs(s3_cluster: Cluster) -> None:
    # Given three workers on three homes, which share a Redis and an S3 server only
    cluster = s3_cluster
    for number in range(3):
        cluster.start_worker(home=cluster.folder / f"home{number}")
    # When
    jobs = [cluster.submit(f"steps=8 sleep=0.1 picture {number}") for number in range(30)]
    # Then every job is done once, and each worker did its share
    jobs = [cluster.wait_for_end(job, seconds=60) for job in jobs]
    assert {job.status for job in jobs} == {Status.SUCCEEDED}
    assert {tuple(outcomes(job)) for job in jobs} == {(Outcome.SUCCEEDED,)}
    shares = Counter(last_attempt(job).worker for job in jobs)
    assert len(shares) == 3
    assert min(shares.values()) >= 2
    # and each artifact is stored once
    for job in jobs:
        prefix = attempt_prefix(job.owner, job.id, last_attempt(job).id)
        names = ["0.png", "0.thumbnail.webp", "manifest.json"]
        assert cluster.stored(job) == [prefix + name for name in names]
        assert cluster.read_artifact(job, "0.png").startswith(b"\x89PNG")


def test_a_worker_keeps_to_its_queues(cluster: Cluster) -> None:
    cluster.start_worker("--device", "cpu", "--queues", "text")
    picture = cluster.submit("steps=1")
    assert cluster.wait_for_end(cluster.submit("steps=1", "test/fake-text")).status is Status.SUCCEEDED
    assert cluster.job(picture.id).status is Status.QUEUED
    cluster.start_worker("--device", "cpu", "--queues", "image")
    assert cluster.wait_for_end(picture).status is Status.SUCCEEDED


def test_a_busy_worker_does_not_keep_a_doorbell_from_an_idle_one(
    tmp_path: Path, state: StateServer, own_broker: StateServer
) -> None:
    # Given two workers that look for work by themselves only once a minute, and one of them busy
    with running_cluster(tmp_path, state, own_broker, idle_claim_seconds=60.0) as cluster:
        cluster.start_worker()
        cluster.start_worker()
        long = cluster.wait_for_status(cluster.submit("steps=300 sleep=0.1"), Status.RUNNING)
        # Then each further job starts at once, on the other one
        for _ in range(5):
            job = cluster.wait_for_end(cluster.submit("steps=1"))
            assert job.started_at is not None
            assert job.started_at - job.created_at < 10_000
            assert last_attempt(job).worker != last_attempt(long).worker
            wait_for(lambda: any(info.parked for info in cluster.queue.workers()))
        assert cluster.job(long.id).status is Status.RUNNING


def test_a_fleet_is_one_worker_for_each_device(cluster: Cluster) -> None:
    # Given a fleet of two
    fleet = cluster.start_fleet("cpu,cpu")
    assert sorted(info.card.device for info in cluster.queue.workers()) == ["cpu", "cpu"]
    # When one of them is killed
    victim = cluster.queue.workers()[0].card.pid
    os.kill(victim, signal.SIGKILL)
    # Then it is started again
    wait_for(lambda: len({info.card.pid for info in cluster.queue.workers()} - {victim}) == 2, 30)
    # and SIGTERM ends them all, after the job
    job = cluster.submit("steps=10 sleep=0.1")
    cluster.wait_for_status(job, Status.RUNNING)
    fleet.terminate()
    assert fleet.wait() == 0
    assert cluster.job(job.id).status is Status.SUCCEEDED


def test_a_killed_fleet_leaves_nothing_behind(cluster: Cluster) -> None:
    fleet = cluster.start_fleet("cpu,cpu")
    family = psutil.Process(fleet.pid).children(recursive=True)
    assert len(family) == 6, "a tether, a worker and an engine for each"
    fleet.kill()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def test_a_worker_tells_its_metrics(cluster: Cluster) -> None:
    port = free_port()
    cluster.start_worker(worker_metrics_port=port)
    cluster.wait_for_end(cluster.submit("steps=1"))
    cluster.wait_for_end(cluster.submit("fail=fatal"))

    def told() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            return str(answer.read().decode())

    wait_for(lambda: 'atelier_attempts_total{model="test/fake",outcome="failed"} 1.0' in told())
    text = told()
    assert 'atelier_attempts_total{model="test/fake",outcome="succeeded"} 1.0' in text
    assert 'status="failed"' in text
    assert 'atelier_claims_total{result="job"} 2.0' in text
    for phase in ("fetch", "load", "run", "store", "commit"):
        assert f'phase="{phase}"' in text
    assert 'atelier_models_warm{model="test/fake"} 1.0' in text


def test_a_state_server_that_forgets_is_refused(cluster: Cluster, state: StateServer) -> None:
    state.client().config_set("appendonly", "no")
    worker = cluster.run_worker("--device", "cpu")
    assert worker.wait() == 1
    assert "appendonly yes" in worker.log.read_text()


def test_a_worker_waits_for_a_state_server_that_is_not_up_yet(cluster: Cluster, state: StateServer) -> None:
    state.kill()
    worker = cluster.run_worker("--device", "cpu")
    wait_for(lambda: worker.records("service.away"), 60)
    state.start()
    wait_for(lambda: cluster.info(worker) is not None, 20, "a worker that has come up")


def test_a_wrong_device_is_told_plainly(cluster: Cluster) -> None:
    worker = cluster.run_worker("--device", "gpu7")
    assert worker.wait() == 1
    assert worker.log.read_text().startswith("error: There is no device 'gpu7'")


def test_the_log_is_json(cluster: Cluster) -> None:
    worker = cluster.start_worker()
    cluster.wait_for_end(cluster.submit("fail=bug"))
    worker.terminate()
    worker.wait()
    for line in worker.log.read_text().splitlines():
        assert {"time", "level", "action", "message"} <= json.loads(line).keys()
