"""What a model can do to its engine: run out of memory, hang, break the device, crash, poison a queue."""

from collections.abc import Callable
from pathlib import Path

from infra.jobs.record import Job, Outcome, Status
from tests.chaos.matrix import Seen, fault
from tests.integration.cluster import Cluster, now_ms, outcomes
from tests.servers import StateServer

GOOD_JOBS = 100


@fault(
    23,
    "The device runs out of memory, once and for good",
    "one retry after the cache was cleared; else the job fails with `out_of_memory`, worker alive",
    stand_in="the family raises what torch's OutOfMemoryError becomes",
)
def test_out_of_memory(cluster: Cluster, tmp_path: Path, seen: Seen) -> None:
    # Given
    worker = cluster.start_worker()
    engine = worker.wait_for_engine()
    # When one job meets it once, and another one in every run
    once = cluster.wait_for_end(cluster.submit(f"oom times=1 log={tmp_path}/once"))
    always = cluster.wait_for_end(cluster.submit("oom", max_attempts=1))
    # Then the first one has succeeded within its attempt, the second one has failed, and the engine lives
    assert (once.status, outcomes(once)) == (Status.SUCCEEDED, [Outcome.SUCCEEDED])
    assert always.error is not None
    assert (always.status, always.error.type) == (Status.FAILED, "out_of_memory")
    assert worker.wait_for_engine() == engine
    assert cluster.wait_for_end(cluster.submit("a star")).status is Status.SUCCEEDED
    seen("second run in the same attempt succeeded; the hopeless one failed; same engine afterwards")


@fault(
    24,
    "The device hangs in the midst of a step",
    "the watchdog logs the stacks and kills the engine; the job runs again",
    stand_in="the family sleeps for ever",
)
def test_a_hanging_device(
    make_cluster: Callable[..., Cluster], state: StateServer, tmp_path: Path, seen: Seen
) -> None:
    # Given
    cluster = make_cluster(state, step_timeout_seconds=1.0)
    worker = cluster.start_worker()
    engine = worker.wait_for_engine()
    # When
    job = cluster.wait_for_end(cluster.submit(f"hang times=1 log={tmp_path}/hung"), seconds=40)
    # Then
    assert (job.status, outcomes(job)) == (Status.SUCCEEDED, [Outcome.CRASHED, Outcome.SUCCEEDED])
    assert job.attempts[0].error is not None
    assert job.attempts[0].error.type == "engine_hung"
    assert worker.wait_for_engine() != engine
    assert any("fake_family.py" in record["printed"] for record in worker.records("engine.printed"))
    assert job.attempts[0].ended_at is not None
    hung_for = (job.attempts[0].ended_at - job.attempts[0].started_at) / 1000
    seen(f"killed after {hung_for:.1f} s (limit 1 s), run again", recovery_seconds=_until_next(job))


@fault(
    24,
    "The device's context is broken (illegal access, Xid)",
    "a typed error, a new engine, and the job runs again",
    stand_in="the family raises torch's AcceleratorError",
)
def test_a_broken_device(cluster: Cluster, tmp_path: Path, seen: Seen) -> None:
    # Given
    worker = cluster.start_worker()
    engine = worker.wait_for_engine()
    # When
    job = cluster.wait_for_end(cluster.submit(f"fail=device times=1 log={tmp_path}/broken"), seconds=40)
    # Then
    assert job.status is Status.SUCCEEDED
    assert job.attempts[0].error is not None
    assert job.attempts[0].error.retryable
    assert worker.wait_for_engine() != engine
    seen(f"`{job.attempts[0].error.type}`, then a new engine", recovery_seconds=_until_next(job))


@fault(
    25,
    "Native code crashes (SIGSEGV) in every run of a job",
    "each time the job is requeued and another engine started; the third crash ends it as `worker_crashed`",
)
def test_a_segfault(cluster: Cluster, seen: Seen) -> None:
    # Given
    cluster.start_worker()
    # When
    job = cluster.wait_for_end(cluster.submit("segfault"), seconds=60)
    # Then
    assert (job.status, outcomes(job)) == (Status.FAILED, [Outcome.CRASHED] * 3)
    assert job.error is not None
    assert job.error.type == "worker_crashed"
    assert cluster.wait_for_end(cluster.submit("a star")).status is Status.SUCCEEDED
    pauses = [
        (after.started_at - (before.ended_at or 0)) / 1000
        for before, after in zip(job.attempts, job.attempts[1:], strict=False)
    ]
    seen(f"3 crashes, then `worker_crashed`; the worker goes on; pauses {_seconds(pauses)}")


@fault(
    26,
    "A job that crashes its engine stands among 100 good ones",
    "all good ones succeed, the bad one fails alone",
)
def test_a_poison_job(cluster: Cluster, seen: Seen) -> None:
    # Given
    for _ in range(2):
        cluster.start_worker()
    # When
    before = [cluster.submit("steps=1") for _ in range(GOOD_JOBS // 2)]
    began = now_ms()
    poison = cluster.submit("crash")
    after = [cluster.submit("steps=1") for _ in range(GOOD_JOBS // 2)]
    # Then
    good = [cluster.wait_for_end(job, seconds=90) for job in before + after]
    assert {job.status for job in good} == {Status.SUCCEEDED}
    bad = cluster.wait_for_end(poison, seconds=60)
    assert bad.error is not None
    assert (bad.status, bad.error.type, bad.crashes) == (Status.FAILED, "worker_crashed", 3)
    last = max(job.finished_at or 0 for job in good)
    seen(f"{GOOD_JOBS} succeeded in {(last - began) / 1000:.0f} s, the poison one failed after 3 crashes")


def _until_next(job: Job) -> float:
    """Seconds from the end of the first attempt to the start of the second."""
    first, second, *_ = job.attempts
    assert first.ended_at is not None
    return (second.started_at - first.ended_at) / 1000


def _seconds(values: list[float]) -> str:
    return " and ".join(f"{value:.1f} s" for value in values)
