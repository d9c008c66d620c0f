"""What is told to webhooks: one message for each job that ends, written by the script that ends it."""

from typing import cast

from infra.jobs.record import Job, JobError, Outcome
from infra.jobs.scripts import PREFIX
from tests.unit.jobs.conftest import Bench

HOOK = "we_1"


def messages(bench: Bench) -> list[dict[str, str]]:
    ids = cast(list[str], bench.state.zrange(f"{PREFIX}outbox", 0, -1))
    return [cast(dict[str, str], bench.state.hgetall(f"{PREFIX}outbox:{message_id}")) for message_id in ids]


def hooked(bench: Bench) -> set[str]:
    return cast(set[str], bench.state.smembers(f"{PREFIX}hooked"))


def close_as_schema_1(bench: Bench, job: Job) -> None:
    """What its commit leaves behind: the same, but for the outbox."""
    assert bench.commit(job)
    message_id = job.id.replace("job_", "msg_")
    bench.state.delete(f"{PREFIX}outbox:{message_id}", f"{PREFIX}outbox")
    bench.state.sadd(f"{PREFIX}hooked", job.id)


def test_a_message_tells_what_became_of_the_job(bench: Bench) -> None:
    job = bench.finish(webhook=HOOK)

    [message] = messages(bench)

    assert job.webhook == HOOK
    assert message == {
        "id": job.id.replace("job_", "msg_"),
        "owner": job.owner,
        "job": job.id,
        "type": "job.succeeded",
        "status": "succeeded",
        "kind": job.kind,
        "model": job.model,
        "version": str(job.version),
        "at": str(job.finished_at),
        "expires_at": str(job.expires_at),
        "webhook": HOOK,
        "attempts": "0",
    }
    assert bench.state.zscore(f"{PREFIX}outbox", message["id"]) == job.finished_at
    assert not hooked(bench)


def test_every_way_to_end_tells(bench: Bench) -> None:
    failed = bench.start(webhook=HOOK)
    assert failed.attempt_id
    bench.queue.requeue(failed.id, failed.attempt_id, Outcome.FAILED, JobError("oom", "Out of memory."))
    cancelled = bench.add(webhook=HOOK)
    heir = bench.add(webhook=HOOK, waits_for=[cancelled.id])
    late = bench.add(webhook=HOOK, start_deadline_seconds=1)
    bench.queue.cancel(cancelled.id, cancelled.owner)
    bench.wait(2)
    stillborn = bench.add(webhook=HOOK, waits_for=[failed.id])

    told = {message["job"]: message["type"] for message in messages(bench)}

    assert told == {
        failed.id: "job.failed",
        cancelled.id: "job.cancelled",
        heir.id: "job.cancelled",
        late.id: "job.failed",
        stillborn.id: "job.failed",
    }


def test_nothing_is_told_of_a_job_without_webhook_or_one_that_was_deleted(bench: Bench) -> None:
    bench.finish()
    queued = bench.add(webhook=HOOK)
    bench.queue.delete(queued.id, queued.owner)
    running = bench.start(webhook=HOOK)
    bench.queue.delete(running.id, running.owner)
    bench.commit(running)

    assert messages(bench) == []
    assert not hooked(bench)


def test_a_job_that_will_run_again_tells_nothing(bench: Bench) -> None:
    job = bench.start(webhook=HOOK)
    assert job.attempt_id
    bench.queue.requeue(job.id, job.attempt_id, Outcome.RELEASED)

    assert messages(bench) == []
    assert hooked(bench) == {job.id}


def test_a_retry_is_told_to_the_same_webhook(bench: Bench) -> None:
    assert bench.queue.retry(bench.finish(webhook=HOOK).id, "ann").webhook == HOOK


def test_tick_tells_what_older_code_left_untold(bench: Bench) -> None:
    # Given a job that code of schema 1 has ended, one that runs, and one whose record is gone
    old = bench.start(webhook=HOOK)
    close_as_schema_1(bench, old)
    running = bench.start(webhook=HOOK)
    bench.state.sadd(f"{PREFIX}hooked", "job_gone")

    # When the clocks are looked at, twice
    bench.queue.tick()
    bench.queue.tick()

    # Then it is told once, with the time of its end
    [message] = messages(bench)
    assert (message["job"], message["at"]) == (old.id, str(bench.queue.get(old.id).finished_at))
    assert hooked(bench) == {running.id}


def test_tick_comes_to_every_hooked_job(bench: Bench) -> None:
    old = bench.start(webhook=HOOK)
    bench.limited(max_queued_per_owner=2000).queue.enqueue([bench.new(webhook=HOOK) for _ in range(1000)])
    close_as_schema_1(bench, old)

    for _ in range(20):
        bench.queue.tick()

    assert [message["job"] for message in messages(bench)] == [old.id]


def test_a_job_that_has_no_place_yet_has_not_ended(bench: Bench) -> None:
    """A restore writes all records without a place; whoever ticks meanwhile must tell nothing of them."""
    job = bench.add(webhook=HOOK)
    bench.state.hset(f"{PREFIX}j:{job.id}", "place", "")

    bench.queue.tick()
    bench.queue.tick()

    assert messages(bench) == []
    assert hooked(bench) == {job.id}
