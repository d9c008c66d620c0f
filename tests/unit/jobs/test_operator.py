"""What operators do: pause and resume queues, models and workers; raise a job to the front."""

from dataclasses import replace

import pytest

from infra.errors import JobNotFound, WorkerPaused
from infra.jobs.answers import Standing
from infra.jobs.operator import What
from infra.jobs.record import JobError, Outcome, Status
from tests.unit.jobs.conftest import CARD, Bench


def test_nothing_is_claimed_from_a_paused_queue(bench: Bench) -> None:
    job = bench.add()
    bench.operator.pause(What.QUEUE, "image", "op", "the cooling is off")

    assert bench.claim() is None
    assert bench.queue.standing(job) == Standing(1, paused=True)
    assert [stats.paused for stats in bench.queue.queue_stats() if stats.name == "image"] == [True]
    text = bench.add(model="words", queue="text")
    assert (bench.claim() or job).id == text.id

    assert bench.operator.resume(What.QUEUE, "image")
    assert (bench.claim() or text).id == job.id


def test_nothing_is_claimed_of_a_paused_model(bench: Bench) -> None:
    held = bench.add(model="plain")
    bench.operator.pause(What.MODEL, "plain", "op")
    other = bench.add("bob", model="other")

    assert (bench.claim() or held).id == other.id
    assert bench.claim() is None
    bench.operator.resume(What.MODEL, "plain")
    assert (bench.claim() or other).id == held.id


def test_a_running_job_goes_on_while_its_queue_is_paused(bench: Bench) -> None:
    job = bench.start()
    bench.operator.pause(What.QUEUE, "image", "op")
    bench.operator.pause(What.MODEL, "plain", "op")
    bench.commit(job)

    assert bench.queue.get(job.id).status is Status.SUCCEEDED


def test_a_paused_worker_finishes_and_claims_nothing(bench: Bench) -> None:
    job = bench.start()
    bench.operator.pause(What.WORKER, "w1", "op")
    bench.add()
    bench.commit(job)

    with pytest.raises(WorkerPaused):
        bench.claim()
    (seen,) = bench.queue.workers()
    assert (seen.paused, seen.parked, bench.queue.get(job.id).status) == (True, False, Status.SUCCEEDED)
    bench.operator.resume(What.WORKER, "w1")
    assert bench.claim() is not None


def test_a_paused_worker_is_not_rung_for(bench: Bench) -> None:
    for name in ("w1", "w2"):
        bench.claim(replace(CARD, id=name))
    bench.operator.pause(What.WORKER, "w1", "op")

    first, second = bench.add(), bench.add()
    assert bench.rings == [("image", first.id)]
    assert (bench.claim(replace(CARD, id="w2")) or second).id == first.id


def test_a_paused_worker_that_was_woken_wakes_another(bench: Bench) -> None:
    for name in ("w1", "w2"):
        bench.claim(replace(CARD, id=name))
    job = bench.add()
    bench.operator.pause(What.WORKER, "w1", "op")
    assert bench.rings == [("image", job.id)]

    with pytest.raises(WorkerPaused):
        bench.claim()
    assert bench.rings[1:] == [("image", job.id)]
    assert (bench.claim(replace(CARD, id="w2")) or job).id == job.id


def test_a_pause_survives_the_workers_new_card_and_ends_when_it_leaves(bench: Bench) -> None:
    bench.claim()
    bench.operator.pause(What.WORKER, "w1", "op")
    with pytest.raises(WorkerPaused):
        bench.claim(replace(CARD, warm=("plain",)))
    bench.wait(20)
    assert bench.operator.pauses().of(What.WORKER, "w1")

    bench.queue.leave("w1")
    assert bench.operator.pauses().all == ()


def test_pauses_of_workers_that_never_came_back_are_dropped(bench: Bench) -> None:
    bench.operator.pause(What.WORKER, "gone", "op")
    bench.wait(25 * 3600)
    bench.operator.pause(What.QUEUE, "image", "op")

    assert [pause.name for pause in bench.operator.pauses().all] == ["image"]


def test_no_ring_while_paused_and_rings_at_resume(bench: Bench) -> None:
    for name in ("w1", "w2", "w3"):
        bench.claim(replace(CARD, id=name))
    bench.operator.pause(What.QUEUE, "image", "op")
    plain, other = bench.add(), bench.add(model="other")
    assert bench.rings == []

    bench.operator.resume(What.QUEUE, "image")
    assert sorted(bench.rings) == sorted([("image", plain.id), ("image", other.id)])
    assert not bench.operator.resume(What.QUEUE, "image")
    assert len(bench.rings) == 2


def test_resuming_a_model_rings_in_every_queue(bench: Bench) -> None:
    bench.operator.pause(What.MODEL, "words", "op")
    jobs = [bench.add(model="words", queue=queue) for queue in ("text", "image")]
    for name in ("w1", "w2"):
        bench.claim(replace(CARD, id=name))

    bench.operator.resume(What.MODEL, "words")
    assert sorted(bench.rings) == sorted((job.queue, job.id) for job in jobs)


def test_the_first_pause_stands(bench: Bench) -> None:
    first = bench.operator.pause(What.QUEUE, "image", "op", "cooling")
    again = bench.operator.pause(What.QUEUE, "image", "else", "other")

    assert again == first
    assert bench.operator.pauses().all == (first,)
    assert (first.what, first.name, first.by, first.reason) == (What.QUEUE, "image", "op", "cooling")


def test_submissions_and_cancels_go_on_while_paused(bench: Bench) -> None:
    bench.operator.pause(What.QUEUE, "image", "op")
    job = bench.add()

    assert bench.queue.cancel(job.id, "ann").status is Status.CANCELLED


# To the front


def test_a_raised_job_is_next_whoever_owns_it(bench: Bench) -> None:
    for _ in range(3):
        bench.add("ann", priority="high")
    last = bench.add("bob", priority="low")
    raised = bench.operator.front(last.id)

    assert raised.front
    assert bench.queue.standing(last) == Standing(1, paused=False)
    assert (bench.claim() or raised).id == last.id


def test_a_raised_job_comes_before_fairer_queues_and_warm_models(bench: Bench) -> None:
    bench.add(model="words", queue="text")
    plain, other = bench.add("ann", cost=100.0), bench.add("bob", model="other")
    bench.operator.front(plain.id)

    assert (bench.claim(replace(CARD, queues=("text", "image"), warm=("other",))) or other).id == plain.id


def test_the_one_raised_last_is_first(bench: Bench) -> None:
    first, second, third = (bench.add() for _ in range(3))
    for job in (second, third):
        bench.operator.front(job.id)

    assert [bench.queue.standing(job) for job in (third, second)] == [Standing(1, False), Standing(2, False)]
    assert [(bench.claim() or first).id for _ in range(3)] == [third.id, second.id, first.id]


def test_who_cannot_run_the_raised_job_takes_another(bench: Bench) -> None:
    raised, other = bench.add(), bench.add(model="other")
    bench.operator.front(raised.id)

    assert (bench.claim(replace(CARD, models=("other",))) or raised).id == other.id
    assert (bench.claim() or other).id == raised.id


def test_a_raised_job_passes_its_owners_running_limit(bench: Bench) -> None:
    bench = bench.limited(max_running_per_owner=1)
    running = bench.start()
    waiting, raised = bench.add(), bench.add()
    assert bench.claim(replace(CARD, id="w2")) is None
    bench.operator.front(raised.id)

    assert bench.rings == [("image", raised.id)]
    assert (bench.claim(replace(CARD, id="w2")) or waiting).id == raised.id
    assert bench.claim(replace(CARD, id="w3")) is None
    bench.commit(running)
    assert bench.claim() is None
    bench.commit(bench.queue.get(raised.id))
    assert (bench.claim() or raised).id == waiting.id


def test_a_raised_job_in_a_paused_queue_waits(bench: Bench) -> None:
    job = bench.add()
    bench.operator.pause(What.QUEUE, "image", "op")
    bench.operator.front(job.id)
    assert bench.claim() is None

    bench.operator.resume(What.QUEUE, "image")
    assert bench.claim() is not None


def test_a_job_that_comes_back_is_at_the_front_again(bench: Bench) -> None:
    job = bench.add()
    bench.operator.front(job.id)
    running = bench.claim() or job
    bench.add("bob", priority="high")
    error = JobError("flaky", "It failed.", retryable=True)
    bench.queue.requeue(job.id, running.attempt_id or "", Outcome.FAILED, error, delay_seconds=2)
    bench.wait(3)

    assert (bench.claim() or running).id == job.id


def test_a_job_that_waits_is_raised_from_when_it_is_ready(bench: Bench) -> None:
    first = bench.start()
    second = bench.add(waits_for=[first.id])
    bench.operator.front(second.id)
    bench.add("bob")
    bench.commit(first)

    assert (bench.claim() or first).id == second.id


def test_front_leaves_other_jobs_as_they_are(bench: Bench) -> None:
    job = bench.start()
    assert bench.operator.front(job.id) == bench.queue.get(job.id)
    bench.commit(job)
    assert not bench.operator.front(job.id).front
    with pytest.raises(JobNotFound):
        bench.operator.front("job_" + "0" * 24)
    bench.queue.delete(job.id, "ann")
    with pytest.raises(JobNotFound):
        bench.operator.front(job.id)


def test_a_cancelled_job_leaves_the_front(bench: Bench) -> None:
    job = bench.add()
    bench.operator.front(job.id)
    bench.queue.cancel(job.id, "ann")

    assert bench.state.keys("atl:{g0}:front:*") == []


def test_owners_are_all_who_have_submitted_or_have_a_key(bench: Bench) -> None:
    bench.add("ann")
    bench.add("bob")

    assert bench.operator.owners() == ("admin", "ann", "bob", "local")
