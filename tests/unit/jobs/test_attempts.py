"""How attempts end, and what the job's record says of them."""

import pytest

from infra.jobs.answers import Beat, Committed, Requeued
from infra.jobs.record import JobError, Outcome, Status, new_attempt_id
from tests.unit.jobs.conftest import CARD, RESULT, Bench

FLAKY = JobError("flaky", "It failed.", "this time", retryable=True)
BROKEN = JobError("broken", "It cannot work.", retryable=False)


def end(bench: Bench, outcome: Outcome, error: JobError | None = None, **how: float) -> Requeued:
    """Claim the only job and end its attempt so."""
    job = bench.claim()
    assert job is not None
    return bench.queue.requeue(job.id, job.attempt_id or "", outcome, error, **how)


def test_a_result_is_kept_with_its_attempt(bench: Bench) -> None:
    job = bench.finish()

    assert (job.status, job.manifest, job.artifacts) == (Status.SUCCEEDED, f"m/{job.attempt_id}", (RESULT,))
    (attempt,) = job.attempts
    assert (attempt.id, attempt.number, attempt.worker, attempt.device) == (job.attempt_id, 1, "w1", "cpu")
    assert attempt.outcome is Outcome.SUCCEEDED
    assert job.created_at <= (job.started_at or 0) <= (job.finished_at or 0)
    assert job.expires_at == (job.finished_at or 0) + 7 * 86400 * 1000


def test_a_failure_is_tried_again_after_a_pause(bench: Bench) -> None:
    job = bench.add(max_attempts=3)
    assert end(bench, Outcome.FAILED, FLAKY) is Requeued.QUEUED

    job = bench.queue.get(job.id)
    assert (job.status, job.fails, job.error) == (Status.QUEUED, 1, None)
    assert job.attempts[0].error == FLAKY
    assert bench.claim() is None
    bench.wait(1.25)
    assert end(bench, Outcome.FAILED, FLAKY) is Requeued.QUEUED
    bench.wait(1.0)
    assert bench.claim() is None
    bench.wait(1.6)
    assert end(bench, Outcome.FAILED, FLAKY) is Requeued.FAILED
    job = bench.queue.get(job.id)
    assert (job.status, job.fails, job.error, len(job.attempts)) == (Status.FAILED, 3, FLAKY, 3)


def test_jobs_that_fail_together_come_back_one_by_one(bench: Bench) -> None:
    pauses = []
    for _ in range(40):
        job = bench.start()
        bench.queue.requeue(job.id, job.attempt_id or "", Outcome.FAILED, FLAKY)
        job = bench.queue.get(job.id)
        pauses.append((job.not_before or 0) - (job.attempts[0].ended_at or 0))

    assert all(750 <= pause <= 1250 for pause in pauses)
    assert min(pauses) < 900
    assert max(pauses) > 1100
    assert len(set(pauses)) > 20


def test_a_failure_that_would_repeat_is_final(bench: Bench) -> None:
    job = bench.add()

    assert end(bench, Outcome.FAILED, BROKEN) is Requeued.FAILED
    assert bench.queue.get(job.id).error == BROKEN


def test_a_worker_may_choose_the_pause(bench: Bench) -> None:
    bench.add()
    end(bench, Outcome.FAILED, FLAKY, delay_seconds=0)

    assert bench.claim() is not None


def test_a_release_counts_nowhere(bench: Bench) -> None:
    job = bench.add(max_attempts=1)
    for _ in range(5):
        assert end(bench, Outcome.RELEASED) is Requeued.QUEUED

    job = bench.queue.get(job.id)
    assert (job.fails, job.crashes, job.losses) == (0, 0, 0)
    assert [attempt.outcome for attempt in job.attempts] == [Outcome.RELEASED] * 5


def test_the_third_crash_is_the_last(bench: Bench) -> None:
    # The first crash is tried again at once, but alone
    job = bench.add()
    assert end(bench, Outcome.CRASHED) is Requeued.QUEUED
    assert bench.queue.get(job.id).alone

    # The second one after about 5 s
    assert end(bench, Outcome.CRASHED) is Requeued.QUEUED
    bench.wait(3)
    assert bench.claim() is None
    bench.wait(3.5)

    # The third one ends the job
    assert end(bench, Outcome.CRASHED) is Requeued.FAILED
    job = bench.queue.get(job.id)
    assert (job.error or FLAKY).type == "worker_crashed"
    assert (job.error or FLAKY).detail == "This happened 3 times."


def test_a_lost_worker_is_found_by_its_lease(bench: Bench) -> None:
    job = bench.start()
    bench.wait(14)
    assert bench.queue.get(job.id).status is Status.RUNNING
    bench.wait(2)

    job = bench.queue.get(job.id)
    assert (job.status, job.losses, job.attempts[0].outcome) == (Status.QUEUED, 1, Outcome.LOST)
    assert bench.claim() is not None


def test_ten_lost_workers_are_enough(bench: Bench) -> None:
    job = bench.add()
    for _ in range(10):
        assert bench.claim() is not None
        bench.wait(16)
        bench.wait(7)

    error = bench.queue.get(job.id).error
    assert error is not None
    assert error.type == "worker_lost"


def test_beats_keep_a_lease_and_tell_progress(bench: Bench) -> None:
    job = bench.start()
    lease = (job.id, job.attempt_id or "")
    for step in range(4):
        bench.wait(10)
        progress = {"fraction": step / 4, "step": step, "steps": 4, "stage": "denoise"}
        assert bench.queue.beat([lease], CARD, {lease[1]: progress}) == {lease[1]: Beat.OK}

    seen = bench.queue.get(job.id)
    assert seen.progress == {"fraction": 0.75, "step": 3, "steps": 4, "stage": "denoise"}
    assert seen.version == job.version + 4


def test_a_late_beat_revives_a_lease_that_nobody_took(bench: Bench) -> None:
    job = bench.start()
    bench.state.incrby("atl:{g0}:skew", 16_000)
    lease = (job.id, job.attempt_id or "")

    assert bench.queue.beat([lease], CARD) == {lease[1]: Beat.OK}
    bench.state.incrby("atl:{g0}:ticked_at", 16_000)
    assert bench.queue.tick().lost == ()


def test_nobody_loses_a_lease_when_the_server_was_away(bench: Bench) -> None:
    job = bench.start()
    bench.state.incrby("atl:{g0}:skew", 60_000)

    assert bench.queue.tick().grace
    assert bench.queue.tick().lost == ()
    assert bench.commit(job) is Committed.OK


def test_nobody_loses_a_lease_when_the_clock_goes_back(bench: Bench) -> None:
    job = bench.start()
    bench.state.incrby("atl:{g0}:skew", -3_600_000)

    assert bench.queue.tick().grace
    bench.wait(14)
    assert bench.queue.get(job.id).status is Status.RUNNING


def test_a_zombie_is_fenced(bench: Bench) -> None:
    # Given an attempt whose lease went to another one, which has committed
    zombie = bench.start()
    bench.wait(16)
    winner = bench.claim()
    assert winner is not None
    bench.commit(winner)

    # Then nothing that the first one does counts
    lease = (zombie.id, zombie.attempt_id or "")
    assert bench.commit(zombie) is Committed.FENCED
    assert bench.queue.requeue(*lease, Outcome.CRASHED) is Requeued.FENCED
    assert bench.queue.beat([lease], CARD) == {lease[1]: Beat.LOST}
    assert bench.queue.cancel_flags([lease]) == {lease[1]: Beat.LOST}
    assert not bench.queue.emit(*lease, "job.output", {"attempt": lease[1]})
    job = bench.queue.get(zombie.id)
    assert (job.manifest, job.attempt_id) == (f"m/{winner.attempt_id}", winner.attempt_id)


def test_calls_may_be_repeated(bench: Bench) -> None:
    """A client that lost the reply sends the same again."""
    job = bench.add()
    attempt_id = new_attempt_id()
    first = bench.queue.claim(CARD, attempt_id)
    assert first is not None
    assert bench.queue.claim(CARD, attempt_id) == first
    failed = [bench.queue.requeue(job.id, attempt_id, Outcome.FAILED, FLAKY, 0) for _ in range(2)]
    assert failed == [Requeued.QUEUED] * 2
    assert bench.queue.claim(CARD, attempt_id) is None

    second = bench.claim()
    assert second is not None
    assert [bench.commit(second) for _ in range(2)] == [Committed.OK] * 2
    assert bench.queue.get(job.id).version == second.version + 1


def test_a_result_is_not_requeued(bench: Bench) -> None:
    job = bench.start()

    with pytest.raises(ValueError, match="committed"):
        bench.queue.requeue(job.id, job.attempt_id or "", Outcome.SUCCEEDED)
    with pytest.raises(ValueError, match="error"):
        bench.queue.requeue(job.id, job.attempt_id or "", Outcome.FAILED)
