"""Rings: said only when an idle worker that can run the job is parked."""

from dataclasses import replace

from infra.jobs.record import JobError, Outcome
from tests.unit.jobs.conftest import CARD, Bench

BUSY_MODELS = ("other",)


def parked(bench: Bench) -> set[str]:
    return {worker.card.id for worker in bench.queue.workers() if worker.parked}


def test_nobody_is_rung_for_while_nobody_is_idle(bench: Bench) -> None:
    bench.add()
    bench.claim()
    bench.add()

    assert bench.rings == []


def test_an_idle_worker_is_rung_for_once(bench: Bench) -> None:
    assert bench.claim() is None
    assert parked(bench) == {"w1"}

    first = bench.add()
    bench.add()

    assert bench.rings == [("image", first.id)]
    assert parked(bench) == set()


def test_each_idle_worker_gets_a_job(bench: Bench) -> None:
    for name in ("w1", "w2", "w3"):
        bench.claim(replace(CARD, id=name))

    jobs = bench.queue.enqueue([bench.new() for _ in range(4)]).jobs

    assert bench.rings == [("image", job.id) for job in jobs[:3]]


def test_only_a_worker_that_can_run_the_job_is_woken(bench: Bench) -> None:
    bench.claim(replace(CARD, id="picky", models=BUSY_MODELS))
    bench.add(model="plain")
    assert bench.rings == []

    job = bench.add(model="other")
    assert bench.rings == [("image", job.id)]


def test_only_workers_of_the_queue_are_woken(bench: Bench) -> None:
    bench.claim(replace(CARD, queues=("text",)))
    bench.add(queue="image")

    assert bench.rings == []


def test_a_job_that_comes_back_rings(bench: Bench) -> None:
    job = bench.start()
    bench.claim(replace(CARD, id="w2"))
    bench.queue.requeue(job.id, job.attempt_id or "", Outcome.RELEASED)

    assert bench.rings == [("image", job.id)]


def test_a_delayed_job_rings_when_it_is_due(bench: Bench) -> None:
    job = bench.start()
    bench.claim(replace(CARD, id="w2"))
    error = JobError("flaky", "It failed.", retryable=True)
    bench.queue.requeue(job.id, job.attempt_id or "", Outcome.FAILED, error, delay_seconds=3)
    assert bench.rings == []

    bench.wait(4)
    assert bench.rings == [("image", job.id)]


def test_a_job_rings_when_what_it_waited_for_is_done(bench: Bench) -> None:
    first = bench.start()
    second = bench.add(waits_for=[first.id])
    bench.claim(replace(CARD, id="w2"))
    assert bench.rings == []

    bench.commit(first)
    assert bench.rings == [("image", second.id)]


def test_an_owner_below_its_limit_again_rings(bench: Bench) -> None:
    bench = bench.limited(max_running_per_owner=1)
    first = bench.start()
    second = bench.add()
    assert bench.claim(replace(CARD, id="w2")) is None
    assert bench.rings == []

    bench.commit(first)
    assert bench.rings == [("image", second.id)]


def test_who_was_woken_wakes_the_next(bench: Bench) -> None:
    # Given two idle workers and three jobs of an owner who may run two, one of which has just ended
    bench = bench.limited(max_running_per_owner=2)
    running = [bench.start(), bench.start()]
    waiting = [bench.add(), bench.add()]
    for name in ("w2", "w3"):
        bench.claim(replace(CARD, id=name))
    for job in running:
        bench.commit(job)
    assert bench.rings == [("image", waiting[0].id)]

    # When the first claims, then the second is told
    bench.claim(replace(CARD, id="w2"))
    assert bench.rings[1:] == [("image", waiting[1].id)]


def test_who_was_woken_for_one_queue_and_takes_from_another_wakes_the_next(bench: Bench) -> None:
    bench.claim()
    bench.claim(replace(CARD, id="w2", queues=("image",)))
    bench.finish(owner="eve", cost=5.0)  # the image queue has been served, so the other one is next
    bench.claim()
    bench.claim(replace(CARD, id="w2", queues=("image",)))
    bench.rings.clear()
    picture, words = bench.queue.enqueue([bench.new(), bench.new(queue="text", model="words")]).jobs
    assert bench.rings == [("image", picture.id)]

    job = bench.claim()

    assert job is not None
    assert job.id == words.id
    assert bench.rings[1:] == [("image", picture.id)]


def test_a_silent_worker_is_dropped(bench: Bench) -> None:
    bench.claim()
    bench.wait(16)

    assert bench.queue.workers() == ()
    bench.add()
    assert bench.rings == []


def test_a_worker_that_leaves_is_gone_at_once(bench: Bench) -> None:
    bench.claim()
    bench.queue.leave("w1")
    bench.add()

    assert bench.queue.workers() == ()
    assert bench.rings == []


def test_a_worker_is_seen_with_its_card_and_jobs(bench: Bench) -> None:
    job = bench.start()
    card = replace(CARD, warm=("plain",))
    bench.queue.beat([(job.id, job.attempt_id or "")], card)

    (seen,) = bench.queue.workers()
    assert (seen.card, seen.jobs, seen.parked) == (card, (job.id,), False)
