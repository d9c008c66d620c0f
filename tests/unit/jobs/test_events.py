"""What readers of a job's events are told, from whatever point they read on."""

import pytest

from infra.errors import JobNotFound
from infra.jobs.events import CHANNEL, Event, EventType
from infra.jobs.record import Job, JobError, Outcome
from infra.jobs.scripts import EVENTS_MAX, PREFIX
from tests.servers import wait_for
from tests.unit.jobs.conftest import CARD, Bench


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def say(bench: Bench, job: Job, *deltas: str) -> None:
    for offset, delta in enumerate(deltas):
        data = {"attempt": job.attempt_id, "index": 0, "offset": offset, "delta": delta}
        assert bench.queue.emit(job.id, job.attempt_id or "", "job.output", data)


def text(events: list[Event]) -> str:
    return "".join(event.data["delta"] for event in events if event.type == EventType.OUTPUT)


def test_a_queued_job_is_told_from_its_record(bench: Bench) -> None:
    job = bench.add()

    assert bench.told(job) == [Event("0-1", "job.queued", {"version": 1, "status": "queued"})]
    assert bench.told(job, "0-1") == []
    bench.queue.cancel(job.id, "ann")
    assert bench.told(job, "0-1") == [Event("0-2", "job.cancelled", {"version": 2, "status": "cancelled"})]
    assert bench.told(job, "0-2") == []


def test_who_reads_from_the_beginning_misses_nothing(bench: Bench) -> None:
    job = bench.add()
    (queued,) = bench.told(job)
    running = bench.claim()
    assert running is not None
    lease = (job.id, running.attempt_id or "")
    bench.queue.beat([lease], CARD, {lease[1]: {"fraction": 0.5}})
    say(bench, running, "ein", " Bär ")
    bench.queue.requeue(*lease, Outcome.FAILED, JobError("flaky", "It failed.", retryable=True), 0)
    second = bench.claim()
    assert second is not None
    bench.commit(second)

    events = bench.told(job, queued.id)
    assert types(events) == [
        *("job.started", "job.progressed", "job.output", "job.output"),
        *("job.queued", "job.started", "job.succeeded"),
    ]
    assert text(events) == "ein Bär "
    assert [event.data["version"] for event in events] == [2, 3, 3, 3, 4, 5, 6]
    assert events[0].data["attempt"] == 1
    assert events[1].data["progress"] == {"fraction": 0.5}
    for place, event in enumerate(events):
        assert bench.told(job, event.id) == events[place + 1 :]


def test_who_comes_late_gets_a_snapshot_and_the_text(bench: Bench) -> None:
    job = bench.start()
    bench.queue.beat([(job.id, job.attempt_id or "")], CARD, {job.attempt_id or "": {"fraction": 0.5}})
    say(bench, job, "one", "two")

    events = bench.told(job)
    assert types(events) == ["job.started", "job.output", "job.output"]
    assert events[0].data == {
        "version": 3, "status": "running", "attempt": 1, "worker": "w1", "progress": {"fraction": 0.5}
    }  # fmt: skip
    assert text(events) == "onetwo"
    assert bench.told(job, events[-1].id) == []

    bench.commit(job)
    events = bench.told(job)
    assert types(events) == ["job.output", "job.output", "job.succeeded"]
    assert bench.told(job, events[-1].id) == []


def test_text_of_an_attempt_that_failed_is_not_told_again(bench: Bench) -> None:
    job = bench.start()
    say(bench, job, "lost")
    bench.queue.requeue(job.id, job.attempt_id or "", Outcome.RELEASED)
    assert types(bench.told(job)) == ["job.queued"]

    second = bench.claim()
    assert second is not None
    say(bench, second, "kept")
    assert text(bench.told(job)) == "kept"


def test_a_missing_or_foreign_place_is_the_beginning(bench: Bench) -> None:
    job = bench.start()

    for place in (None, "", "nonsense", "12", "-", "1-2-3", "99999999999999999999-0", "²-0"):
        assert types(bench.told(job, place)) == ["job.started"]


def test_who_has_missed_trimmed_events_gets_a_snapshot(bench: Bench) -> None:
    job = bench.start()
    (started,) = bench.told(job)
    pipe = bench.state.pipeline()
    for _ in range(2 * EVENTS_MAX):
        pipe.xadd(
            f"{PREFIX}ev:{job.id}",
            {"type": "job.output", "data": '{"version":2,"attempt":"none","delta":"x"}'},
            maxlen=EVENTS_MAX,
        )
    pipe.execute()

    assert types(bench.told(job, started.id)) == ["job.started"]
    assert types(bench.told(job, "0-1")) == ["job.started"]


def test_an_attempt_that_has_written_more_than_is_kept_can_be_watched(bench: Bench) -> None:
    job = bench.start()
    data = f'{{"version":{job.version},"attempt":"{job.attempt_id}","delta":"x"}}'
    pipe = bench.state.pipeline()
    for _ in range(2 * EVENTS_MAX):
        pipe.xadd(f"{PREFIX}ev:{job.id}", {"type": "job.output", "data": data}, maxlen=EVENTS_MAX)
    pipe.execute()

    snapshot, *text = bench.told(job)
    assert (snapshot.id, snapshot.type) == (f"0-{job.version}", "job.started")
    assert set(types(text)) == {"job.output"}


def test_events_end_some_time_after_the_job(bench: Bench) -> None:
    job = bench.finish()
    assert 3_500_000 < bench.state.pttl(f"{PREFIX}ev:{job.id}") <= 3_600_000
    (final,) = bench.told(job)
    bench.state.delete(f"{PREFIX}ev:{job.id}")

    (snapshot,) = bench.told(job, final.id)
    assert (snapshot.id, snapshot.type) == (f"0-{job.version}", "job.succeeded")
    assert bench.told(job, snapshot.id) == []
    bench.queue.delete(job.id, "ann")
    bench.queue.forget(job.id)
    with pytest.raises(JobNotFound):
        bench.told(job)


def test_an_emit_that_was_sent_twice_is_told_once(bench: Bench) -> None:
    job = bench.start()
    arguments = {"job_id": job.id, "attempt_id": job.attempt_id, "event": "job.output", "emit_id": "e1"}
    data = f'{{"attempt":"{job.attempt_id}","delta":"x"}}'
    for _ in range(2):
        bench.queue._scripts.run("emit", data=data, **arguments)

    assert text(bench.told(job)) == "x"


def test_every_change_is_announced(bench: Bench) -> None:
    subscription = bench.state.pubsub(ignore_subscribe_messages=True)
    subscription.subscribe(CHANNEL)
    heard: list[str] = []

    def hears(count: int) -> bool:
        message = subscription.get_message(timeout=0.1)
        if message is not None:
            heard.append(message["data"])
        return len(heard) >= count

    wait_for(lambda: subscription.get_message(timeout=0.1) is None)
    queued, running = bench.add(), bench.add()  # nobody can wait for a job that did not exist
    bench.claim()  # one announcement, and the cancel of either job another
    bench.queue.cancel(running.id, "ann")
    bench.queue.cancel(queued.id, "ann")

    wait_for(lambda: hears(3), what="three announcements")
    assert sorted(heard) == sorted([queued.id] * 2 + [running.id])
    subscription.close()
