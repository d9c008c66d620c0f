"""What owners do with their jobs: enqueue, list, cancel, retry, delete; limits, chains, keys, deadlines."""

from threading import Thread

import pytest

from infra.errors import IdempotencyMismatch, JobGone, JobNotFound, OwnerLimit, SystemFull
from infra.jobs.answers import Beat, Committed, Filters, OwnerUsage, Requeued
from infra.jobs.record import SCHEMA, Idempotency, Job, JobError, Outcome, Priority, Status
from infra.jobs.scripts import PREFIX
from tests.unit.jobs.conftest import CARD, Bench

KEY = Idempotency("key", "print")


def error_of(job: Job) -> str:
    assert job.error is not None
    return job.error.type


# Enqueue and read


def test_a_job_is_stored_as_it_was_given(bench: Bench) -> None:
    inputs = {
        "prompt": "ein Hügel 🌙\n",
        "seed": 4294967295,
        "guidance": 7.1,
        "stop": [],
        "empty": {},
        "none": None,
    }
    job = bench.add(inputs=inputs, metadata={"a": [1]}, priority="high", cost=0.1, expires_in_seconds=60)

    seen = bench.queue.get(job.id, "ann")
    assert seen == job
    assert (seen.inputs, seen.metadata, seen.priority, seen.cost) == (inputs, {"a": [1]}, Priority.HIGH, 0.1)
    assert (seen.status, seen.version, seen.schema, seen.attempts) == (Status.QUEUED, 1, SCHEMA, ())


def test_nobody_sees_another_owners_job(bench: Bench) -> None:
    job = bench.add("ann")

    for call in (bench.queue.get, bench.queue.cancel, bench.queue.retry, bench.queue.delete):
        with pytest.raises(JobNotFound):
            call(job.id, "bob")
    assert bench.queue.list("bob").jobs == ()


def test_all_jobs_of_a_request_or_none(bench: Bench) -> None:
    bench = bench.limited(max_queued_per_owner=3)
    bench.add()

    with pytest.raises(OwnerLimit):
        bench.queue.enqueue([bench.new() for _ in range(3)], KEY)
    assert bench.queue.owner_usage("ann") == OwnerUsage(queued=1, running=0)
    assert len(bench.queue.enqueue([bench.new() for _ in range(2)], KEY).jobs) == 2


def test_the_system_can_be_full(bench: Bench) -> None:
    bench = bench.limited(max_queued=2)
    bench.add("ann")
    bench.add("bob")

    with pytest.raises(SystemFull):
        bench.add("cy")


def test_pages_go_from_new_to_old(bench: Bench) -> None:
    ids = [bench.add().id for _ in range(5)]

    first = bench.queue.list("ann", limit=2)
    second = bench.queue.list("ann", limit=2, cursor=first.next_cursor)
    third = bench.queue.list("ann", limit=2, cursor=second.next_cursor)
    assert [job.id for page in (first, second, third) for job in page.jobs] == ids[::-1]
    assert third.next_cursor is None
    with pytest.raises(ValueError, match="cursor"):
        bench.queue.list("ann", cursor="x")


def test_lists_are_filtered(bench: Bench) -> None:
    done = bench.finish(kind="upscale")
    other = bench.add(model="other")

    assert [job.id for job in bench.queue.list("ann", status=Status.SUCCEEDED).jobs] == [done.id]
    assert [job.id for job in bench.queue.list("ann", kind="upscale").jobs] == [done.id]
    assert [job.id for job in bench.queue.list("ann", model="other").jobs] == [other.id]
    assert bench.queue.list("ann", status=Status.FAILED).jobs == ()


def test_queues_are_counted(bench: Bench) -> None:
    bench.finish()
    bench.start()
    bench.add(waits_for=[bench.add().id])
    bench.wait(2)

    stats = {stats.name: stats for stats in bench.queue.queue_stats()}["image"]
    assert (stats.ready, stats.waiting, stats.running, stats.delayed) == (1, 1, 1, 0)
    assert (stats.succeeded, stats.failed, stats.workers, stats.parked) == (1, 0, 1, 0)
    assert stats.oldest_wait_seconds >= 2
    assert stats.device_seconds == 2.0


# Idempotency


def test_a_key_gives_the_same_job_as_it_stands(bench: Bench) -> None:
    first = bench.queue.enqueue([bench.new()], KEY)
    bench.claim()
    again = bench.queue.enqueue([bench.new()], KEY)

    assert (first.replayed, again.replayed) == (False, True)
    assert [job.id for job in again.jobs] == [first.jobs[0].id]
    assert again.jobs[0].status is Status.RUNNING
    assert bench.queue.replayed("ann", KEY) == again.jobs
    assert bench.queue.replayed("bob", KEY) is None


def test_a_key_means_one_request(bench: Bench) -> None:
    bench.queue.enqueue([bench.new()], KEY)

    with pytest.raises(IdempotencyMismatch):
        bench.queue.enqueue([bench.new()], Idempotency("key", "other"))
    with pytest.raises(IdempotencyMismatch):
        bench.queue.replayed("ann", Idempotency("key", "other"))
    assert not bench.queue.enqueue([bench.new("bob")], Idempotency("key", "other")).replayed


def test_a_key_is_remembered_for_a_day(bench: Bench) -> None:
    bench.queue.enqueue([bench.new()], KEY)

    (place,) = bench.state.keys("atl:{g0}:idem:ann:*")
    assert 86_390 < bench.state.ttl(place) <= 86_400


def test_a_deleted_job_stays_gone(bench: Bench) -> None:
    (job,) = bench.queue.enqueue([bench.new()], KEY).jobs
    bench.queue.delete(job.id, "ann")

    for _ in range(2):
        with pytest.raises(JobGone):
            bench.queue.enqueue([bench.new()], KEY)
        with pytest.raises(JobGone):
            bench.queue.replayed("ann", KEY)
        bench.queue.forget(job.id)


def test_fifty_at_once_make_one_job(bench: Bench) -> None:
    jobs: list[Job] = []
    threads = [
        Thread(target=lambda: jobs.extend(bench.queue.enqueue([bench.new()], KEY).jobs)) for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(jobs) == 50
    assert len({job.id for job in jobs}) == 1
    assert bench.queue.owner_usage("ann").queued == 1


# Chains


def chain(bench: Bench, length: int = 3) -> list[Job]:
    news = [bench.new(id="link_0")]
    for number in range(1, length):
        news.append(bench.new(id=f"link_{number}", waits_for=[news[-1].id]))
    return list(bench.queue.enqueue(news).jobs)


def test_a_chain_runs_in_its_order(bench: Bench) -> None:
    links = chain(bench)
    for link in links:
        job = bench.claim()
        assert job is not None
        assert job.id == link.id
        assert bench.claim() is None
        bench.commit(job)


def test_a_chain_fails_with_its_first_link(bench: Bench) -> None:
    chain(bench)
    job = bench.claim()
    assert job is not None
    bench.queue.requeue(job.id, job.attempt_id or "", Outcome.FAILED, JobError("broken", "It is."))

    assert [error_of(bench.queue.get(f"link_{number}")) for number in (1, 2)] == ["dependency_failed"] * 2


def test_a_chain_is_cancelled_with_its_first_link(bench: Bench) -> None:
    chain(bench)
    bench.queue.cancel("link_0", "ann")

    assert {job.status for job in bench.queue.list("ann").jobs} == {Status.CANCELLED}
    assert bench.queue.owner_usage("ann") == OwnerUsage(0, 0)


def test_a_job_may_wait_for_several(bench: Bench) -> None:
    first, second = bench.start(), bench.start()
    both = bench.add(waits_for=[first.id, second.id, first.id])
    bench.commit(first)
    assert bench.claim() is None
    bench.commit(second)

    assert (bench.claim() or first).id == both.id


def test_a_job_may_wait_for_what_is_over(bench: Bench) -> None:
    done, cancelled = bench.finish(), bench.add()
    bench.queue.cancel(cancelled.id, "ann")

    assert bench.add(waits_for=[cancelled.id]).status is Status.CANCELLED
    ready = bench.add(waits_for=[done.id])
    assert (bench.claim() or done).id == ready.id


@pytest.mark.parametrize("whose", ["nobody", "bob", "deleted", "later"])
def test_a_job_waits_for_jobs_of_its_owner_only(bench: Bench, whose: str) -> None:
    other = bench.add("bob" if whose == "bob" else "ann")
    later = bench.new()
    if whose == "deleted":
        bench.queue.delete(other.id, "ann")
    wanted = {"nobody": "job_none", "later": later.id}.get(whose, other.id)

    with pytest.raises(JobNotFound, match=wanted):
        bench.queue.enqueue([bench.new(waits_for=[wanted]), later])
    with pytest.raises(JobNotFound):
        bench.queue.get(later.id)


# Cancel, retry, delete


def test_a_running_job_is_asked_to_stop(bench: Bench) -> None:
    job = bench.start()
    asked = bench.queue.cancel(job.id, "ann")
    assert (asked.status, asked.cancel_requested_at is not None) == (Status.RUNNING, True)

    lease = (job.id, job.attempt_id or "")
    assert bench.queue.cancel_flags([lease]) == {lease[1]: Beat.CANCEL}
    assert bench.queue.beat([lease], CARD) == {lease[1]: Beat.CANCEL}
    assert bench.queue.requeue(*lease, Outcome.CANCELLED) is Requeued.CANCELLED
    assert bench.queue.get(job.id).status is Status.CANCELLED


def test_a_cancelled_job_does_not_come_back_after_a_crash(bench: Bench) -> None:
    job = bench.start()
    bench.queue.cancel(job.id, "ann")

    assert bench.queue.requeue(job.id, job.attempt_id or "", Outcome.CRASHED) is Requeued.CANCELLED


def test_many_are_cancelled_by_filters(bench: Bench) -> None:
    running = bench.start()
    for model in ("plain", "plain", "other"):
        bench.add(model=model)
    bench.add("bob")

    assert bench.bulk.cancel(["ann"], Filters(model="other")).count == 1
    assert bench.bulk.cancel(["ann"], Filters(status=Status.QUEUED)).count == 2
    assert bench.bulk.cancel(["ann"], Filters()).count == 1
    assert bench.queue.get(running.id).cancel_requested_at is not None
    assert bench.queue.owner_usage("bob").queued == 1


def test_a_retry_is_a_new_job(bench: Bench) -> None:
    old = bench.finish(inputs={"seed": 3}, deadline_seconds=60, metadata={"m": 1})
    new = bench.queue.retry(old.id, "ann")

    assert (new.retry_of, new.inputs, new.metadata) == (old.id, old.inputs, {"m": 1})
    assert (new.deadline_at or 0) - new.created_at == 60_000
    assert bench.queue.get(old.id).retried_as == new.id
    assert bench.queue.get(old.id).artifacts == old.artifacts


def test_many_are_retried_once(bench: Bench) -> None:
    bench.finish()
    for _ in range(3):
        bench.queue.cancel(bench.add().id, "ann")

    assert bench.bulk.retry(["ann"], Filters(status=Status.CANCELLED)).count == 3
    assert bench.bulk.retry(["ann"], Filters(status=Status.CANCELLED)).count == 0
    assert bench.queue.owner_usage("ann").queued == 3


def test_retries_stop_at_the_owners_limit(bench: Bench) -> None:
    for _ in range(3):
        bench.queue.cancel(bench.add().id, "ann")
    bench = bench.limited(max_queued_per_owner=2)

    assert bench.bulk.retry(["ann"], Filters()).count == 2
    with pytest.raises(OwnerLimit):
        bench.bulk.retry(["ann"], Filters())


def test_a_deleted_job_is_hidden_then_collected(bench: Bench) -> None:
    job = bench.finish()
    deleted = bench.queue.delete(job.id, "ann")
    assert deleted is not None
    assert deleted.artifacts == job.artifacts

    with pytest.raises(JobNotFound):
        bench.queue.get(job.id, "ann")
    assert bench.queue.list("ann").jobs == ()
    assert [job.id for job in bench.queue.expired()] == [job.id]
    assert bench.queue.forget(job.id)
    with pytest.raises(JobNotFound):
        bench.queue.get(job.id)
    with pytest.raises(JobNotFound):
        bench.queue.delete(job.id, "ann")


def test_a_running_job_is_deleted_when_it_has_stopped(bench: Bench) -> None:
    job = bench.start()
    assert bench.queue.delete(job.id, "ann") is None
    with pytest.raises(JobNotFound):
        bench.queue.get(job.id, "ann")
    assert bench.queue.expired() == ()
    assert not bench.queue.forget(job.id)

    assert bench.commit(job) is Committed.CANCELLED
    assert [job.id for job in bench.queue.expired()] == [job.id]
    assert bench.queue.forget(job.id)
    assert bench.commit(job) is Committed.FENCED


def test_a_job_expires_after_its_life(bench: Bench) -> None:
    job = bench.finish(expires_in_seconds=5)
    assert bench.queue.expired() == ()
    assert not bench.queue.forget(job.id)
    bench.wait(6)

    assert [job.id for job in bench.queue.expired()] == [job.id]
    assert bench.queue.forget(job.id)
    assert bench.queue.list("ann").jobs == ()
    assert list(bench.state.scan_iter(f"*{job.id}*")) == []


# Deadlines


def test_a_job_that_does_not_start_in_time_fails(bench: Bench) -> None:
    job = bench.add(start_deadline_seconds=3, deadline_seconds=60)
    bench.wait(4)

    assert error_of(bench.queue.get(job.id)) == "start_deadline_exceeded"
    assert bench.claim() is None


def test_a_job_that_has_started_has_met_its_start_deadline(bench: Bench) -> None:
    job = bench.start(start_deadline_seconds=3)
    bench.queue.requeue(job.id, job.attempt_id or "", Outcome.RELEASED)
    bench.wait(4)

    assert bench.queue.get(job.id).status is Status.QUEUED


def test_a_queued_job_fails_at_its_deadline(bench: Bench) -> None:
    job = bench.add(deadline_seconds=3)
    after = bench.add(waits_for=[job.id])
    bench.wait(4)

    assert error_of(bench.queue.get(job.id)) == "deadline_exceeded"
    assert error_of(bench.queue.get(after.id)) == "dependency_failed"


def test_a_job_may_wait_for_one_that_is_just_being_restored(bench: Bench) -> None:
    before = bench.add()
    bench.state.hset(f"{PREFIX}j:{before.id}", "place", "")  # as a restore writes it first
    after = bench.add(waits_for=[before.id])
    bench.state.hset(f"{PREFIX}j:{before.id}", "place", "ready")

    assert bench.queue.get(after.id).finished_at is None
    job = bench.claim()
    assert job is not None
    assert job.id == before.id
    bench.commit(job)
    job = bench.claim()
    assert job is not None
    assert job.id == after.id


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.LOST, Outcome.RELEASED])
def test_a_running_job_is_stopped_at_its_deadline(bench: Bench, outcome: Outcome) -> None:
    job = bench.start(deadline_seconds=3)
    lease = (job.id, job.attempt_id or "")
    bench.wait(4)
    assert bench.queue.cancel_flags([lease]) == {lease[1]: Beat.TIMED_OUT}
    assert bench.queue.beat([lease], CARD) == {lease[1]: Beat.TIMED_OUT}

    assert bench.queue.requeue(*lease, outcome) is Requeued.FAILED
    assert error_of(bench.queue.get(job.id)) == "deadline_exceeded"


def test_a_result_that_was_ready_at_the_deadline_counts(bench: Bench) -> None:
    job = bench.start(deadline_seconds=3)
    bench.wait(4)

    assert bench.commit(job) is Committed.OK
