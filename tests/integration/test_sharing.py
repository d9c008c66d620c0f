"""Jobs that share a run of a real worker, and runs that overlap."""

import json
import os
import signal
from pathlib import Path

import pytest

from infra.jobs.record import Job, Outcome, Status
from tests.integration.cluster import OWNER, Cluster, outcomes
from tests.servers import wait_for

BUSY = "steps=60 sleep=0.1"
"""A job of six seconds; others come to stand in line before its last one, when the next run is claimed."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "fake.log"


def sizes(log: Path) -> dict[str, list[int]]:
    """By attempt: in how large a batch it ran, each time it did."""
    found: dict[str, list[int]] = {}
    for line in map(json.loads, log.read_text().splitlines()):
        if line["event"] == "started":
            found.setdefault(line["request"], []).append(line["batch"])
    return found


def batch_of(log: Path, job: Job) -> list[int]:
    return sizes(log)[str(job.attempt_id)]


def busy_then(cluster: Cluster, prompts: list[str], **inputs: object) -> list[Job]:
    """Jobs that stand in line when the worker becomes free."""
    first = cluster.submit(BUSY, inputs={"steps": 4})
    cluster.wait_until(first, lambda found: found.progress)
    return [cluster.submit(prompt, inputs=dict(inputs)) for prompt in prompts]


def test_what_waits_and_is_alike_runs_together(cluster: Cluster, log: Path) -> None:
    cluster.start_worker()
    jobs = busy_then(cluster, [f"a star log={log}"] * 6)

    ended = [cluster.wait_for_end(job) for job in jobs]

    assert {job.status for job in ended} == {Status.SUCCEEDED}
    assert [batch_of(log, job) for job in ended] == [[4]] * 4 + [[2]] * 2
    assert len({job.attempt_id for job in ended}) == 6
    assert len({job.manifest for job in ended}) == 6


def test_one_that_is_cancelled_or_fails_leaves_the_others_samples_unchanged(
    cluster: Cluster, log: Path
) -> None:
    cluster.start_worker()
    alone = [cluster.wait_for_end(cluster.submit("a star", inputs={"seed": seed})) for seed in (1, 2)]
    slow = "steps=40 sleep=0.1"
    jobs = busy_then(cluster, [f"{slow} log={log}", f"{slow} log={log}", slow, f"{slow} at=15 fail=fatal"])
    for job, seed in zip(jobs[:2], (1, 2), strict=True):
        assert job.inputs["seed"] != seed  # chosen
    cluster.wait_until(jobs[2], lambda found: found.progress)
    cluster.queue.cancel(jobs[2].id, OWNER)

    ended = [cluster.wait_for_end(job) for job in jobs]

    assert [job.status for job in ended] == [
        Status.SUCCEEDED, Status.SUCCEEDED, Status.CANCELLED, Status.FAILED
    ]  # fmt: skip
    assert all(job.status is Status.SUCCEEDED for job in alone)
    again = [
        cluster.wait_for_end(cluster.submit(str(job.inputs["prompt"]), inputs={"seed": job.inputs["seed"]}))
        for job in ended[:2]
    ]
    assert [job.artifacts[0].sample_sha256 for job in again] == [
        job.artifacts[0].sample_sha256 for job in ended[:2]
    ]


def test_a_cancelled_neighbours_inputs_stay_as_long_as_the_run(cluster: Cluster, log: Path) -> None:
    cluster.start_worker()
    image = {"job": cluster.wait_for_end(cluster.submit("a star")).id}
    first = cluster.submit(BUSY)
    cluster.wait_until(first, lambda found: found.progress)
    slow = f"steps=40 sleep=0.1 log={log}"
    jobs = [cluster.submit(slow, kind="image-to-image", inputs={"image": image}) for _ in range(2)]
    cluster.wait_until(jobs[1], lambda found: found.progress)
    folder = next(cluster.settings.home.glob(f"work/worker-*/{cluster.job(jobs[1].id).attempt_id}"))
    cluster.queue.cancel(jobs[1].id, OWNER)

    ended = [cluster.wait_for_end(job) for job in jobs]

    assert [batch_of(log, job) for job in ended] == [[2], [2]]
    assert [job.status for job in ended] == [Status.SUCCEEDED, Status.CANCELLED]
    wait_for(lambda: not folder.exists(), what="a folder that is removed")


def test_a_crash_takes_nobody_down_twice(cluster: Cluster, log: Path) -> None:
    cluster.start_worker()
    jobs = busy_then(cluster, [f"a star log={log}", "crash", f"a boat log={log}", f"a tree log={log}"])

    ended = [cluster.wait_for_end(job, 40) for job in jobs]

    assert [job.status for job in ended] == [
        Status.SUCCEEDED, Status.FAILED, Status.SUCCEEDED, Status.SUCCEEDED
    ]  # fmt: skip
    assert ended[1].error is not None
    assert ended[1].error.type == "worker_crashed"
    for job in (ended[0], ended[2], ended[3]):
        assert outcomes(job) == [Outcome.CRASHED, Outcome.SUCCEEDED]
        assert batch_of(log, job) == [1]


def test_a_killed_worker_loses_none_of_a_run(cluster: Cluster, log: Path) -> None:
    first = cluster.start_worker()
    jobs = busy_then(cluster, [f"steps=30 sleep=0.1 log={log}"] * 4)
    for job in jobs:
        cluster.wait_until(job, lambda found: found.progress)
    first.kill()
    cluster.start_worker()

    ended = [cluster.wait_for_end(job, 60) for job in jobs]

    assert {job.status for job in ended} == {Status.SUCCEEDED}
    assert {tuple(outcomes(job)) for job in ended} == {(Outcome.LOST, Outcome.SUCCEEDED)}


def test_a_drain_gives_back_what_was_claimed_ahead(cluster: Cluster) -> None:
    worker = cluster.start_worker(drain_seconds=20.0)
    first = cluster.submit("steps=30 sleep=0.05", inputs={"steps": 4})
    cluster.wait_until(first, lambda found: found.progress)
    second = cluster.submit("steps=600 sleep=0.1", inputs={"steps": 5})
    cluster.wait_until(second, lambda found: found.status is Status.RUNNING)
    worker.terminate()

    assert worker.wait(30) == 0
    assert cluster.job(first.id).status is Status.SUCCEEDED
    given_back = cluster.job(second.id)
    assert (given_back.status, outcomes(given_back)) == (Status.QUEUED, [Outcome.RELEASED])


def test_the_next_run_is_claimed_while_the_last_one_goes_on(cluster: Cluster) -> None:
    cluster.start_worker()
    first = cluster.submit(BUSY, inputs={"steps": 4})
    cluster.wait_until(first, lambda found: found.progress)
    second = cluster.submit("a star", inputs={"steps": 5})

    first, second = cluster.wait_for_end(first), cluster.wait_for_end(second)

    assert second.attempts[0].started_at < int(first.finished_at or 0)
    assert second.finished_at is not None


def test_a_worker_that_is_free_goes_before_one_that_is_busy(cluster: Cluster) -> None:
    cluster.start_worker()
    cluster.start_worker()
    first = cluster.submit("steps=60 sleep=0.1", inputs={"steps": 4})
    first = cluster.wait_until(first, lambda found: found.progress)
    wait_for(lambda: any(info.parked for info in cluster.queue.workers()), what="an idle worker")
    second = cluster.wait_for_end(cluster.submit("a star", inputs={"steps": 5}))

    assert second.attempts[0].worker != first.attempts[0].worker
    assert cluster.job(first.id).status is Status.RUNNING


def test_texts_join_a_run_that_goes_on(cluster: Cluster, log: Path) -> None:
    cluster.start_worker()
    first = cluster.submit(f"steps=30 sleep=0.1 log={log}", "test/fake-text")
    cluster.wait_until(first, lambda found: found.progress)
    second = cluster.submit(f"steps=3 log={log}", "test/fake-text")
    second = cluster.wait_until(second, lambda found: found.attempts, what="it joined")

    assert cluster.job(first.id).status is Status.RUNNING
    ended = [cluster.wait_for_end(job) for job in (first, second)]
    assert [cluster.read_artifact(job, "0.txt").decode().split()[-1] for job in ended] == ["word29", "word2"]


def test_a_killed_engine_spares_what_is_being_stored(cluster: Cluster) -> None:
    worker = cluster.start_worker()
    jobs = busy_then(cluster, ["a star", "steps=20 sleep=0.1"])
    cluster.wait_until(jobs[1], lambda found: found.progress)
    os.kill(worker.wait_for_engine(), signal.SIGKILL)

    ended = [cluster.wait_for_end(job, 40) for job in jobs]

    assert {job.status for job in ended} == {Status.SUCCEEDED}


def test_a_window_lets_others_come_in_time(cluster: Cluster, log: Path) -> None:
    cluster.start_worker(batch_window_ms=1500)
    jobs = [cluster.submit(f"a star log={log}") for _ in range(4)]

    ended = [cluster.wait_for_end(job) for job in jobs]

    assert [batch_of(log, job) for job in ended] == [[4]] * 4
