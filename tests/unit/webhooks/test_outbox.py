"""The outbox: who may send which message when, and what is noted of it."""

import pytest
import redis

from infra.errors import JobNotFound
from infra.jobs.answers import Filters
from infra.jobs.bulk import Bulk
from infra.jobs.record import Job
from infra.jobs.scripts import PREFIX
from infra.webhooks.messages import DeliveryAttempt, DeliveryState, Message
from infra.webhooks.outbox import Backlog, MessageNotFound, Outcome
from tests.unit.webhooks.conftest import Office

URL = "https://a.example/hook"
ATTEMPT = DeliveryAttempt(1795512600000, 12, status=200)
DELIVERED = Outcome(DeliveryState.DELIVERED, ATTEMPT)
FAILED = Outcome(DeliveryState.FAILED, ATTEMPT)
DAY = 86400.0


def later(seconds: float) -> Outcome:
    return Outcome(
        DeliveryState.PENDING, DeliveryAttempt(1795512600000, 12, error="it hung up"), pause_seconds=seconds
    )


def taken(office: Office, most: int = 100) -> list[str]:
    return [message.job for message in office.outbox.take(most)]


def test_a_message_is_taken_once_and_settled(office: Office) -> None:
    job = office.ended(URL)
    delivery = office.delivery(job)
    assert (delivery.state, delivery.attempts) == (DeliveryState.PENDING, ())
    assert delivery.next_attempt_at == job.finished_at

    (message,) = office.outbox.take(10)
    assert taken(office) == []
    office.outbox.settle(message, DELIVERED)

    assert (message.job, message.type, message.status) == (job.id, "job.cancelled", "cancelled")
    assert message.version == job.version
    delivery = office.delivery(job)
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, (ATTEMPT,))
    assert delivery.next_attempt_at is None
    assert taken(office) == []
    assert office.idle()


def test_a_failed_attempt_waits_for_its_time(office: Office) -> None:
    job = office.ended(URL)
    (message,) = office.outbox.take(10)

    office.outbox.settle(message, later(300))

    delivery = office.delivery(job)
    assert delivery.state is DeliveryState.PENDING
    assert delivery.attempts[0].error == "it hung up"
    assert delivery.next_attempt_at is not None
    assert taken(office) == []
    office.bench.wait(299)
    assert taken(office) == []
    office.bench.wait(2)
    (again,) = office.outbox.take(10)
    assert (again.id, again.tries, again.body()) == (message.id, 1, message.body())


def test_a_dispatcher_that_dies_is_replaced(office: Office) -> None:
    job = office.ended(URL)
    (dead,) = office.outbox.take(10)

    office.bench.wait(61)
    (alive,) = office.outbox.take(10)
    office.outbox.settle(dead, FAILED)
    assert office.delivery(job).attempts == ()
    office.outbox.settle(alive, DELIVERED)
    office.outbox.settle(dead, FAILED)

    assert office.delivery(job).state is DeliveryState.DELIVERED
    assert office.idle()


def test_one_destination_has_few_in_flight_and_holds_up_nobody(office: Office) -> None:
    slow = [office.ended(URL).id for _ in range(30)]
    quick = office.ended("https://b.example/hook").id
    endpoint, _ = office.endpoints.create("ann", URL)
    other = office.ended(endpoint.id).id

    first = office.outbox.take(100)

    assert {quick, other} < {message.job for message in first}
    held = [message for message in first if message.job in slow]
    assert len(held) == 8
    assert taken(office) == []
    office.outbox.settle(held[0], DELIVERED)
    assert len(taken(office)) == 1


def test_destinations_take_turns(office: Office) -> None:
    for host in "abc":
        for _ in range(3):
            office.ended(f"https://{host}.example/hook")

    hosts = [message.webhook[8] for message in office.outbox.take(4) + office.outbox.take(4)]

    assert sorted(hosts[:3]) == sorted(hosts[3:6]) == ["a", "b", "c"]
    assert len(hosts) == 8


def test_two_owners_do_not_share_a_destination(office: Office) -> None:
    for _ in range(20):
        office.ended(URL)
    theirs = office.ended(URL, owner="bob").id

    assert theirs in taken(office)


def test_the_log_of_a_deleted_job_goes_with_it(office: Office) -> None:
    waiting, flying, told = office.ended(URL), office.ended(URL), office.ended("https://b.example/")
    messages = {message.job: message for message in office.outbox.take(10)}
    office.outbox.settle(messages[told.id], DELIVERED)
    office.outbox.settle(messages[waiting.id], later(5))

    for job in (waiting, flying, told):
        office.bench.queue.delete(job.id, "ann")

    office.outbox.settle(messages[flying.id], DELIVERED)
    assert [office.outbox.deliveries(job.id, "ann") for job in (waiting, flying, told)] == [[], [], []]
    office.bench.wait(10)
    assert taken(office) == []
    assert office.idle()
    with pytest.raises(JobNotFound):
        office.bench.queue.get(flying.id, "ann")


def test_a_job_that_was_deleted_while_it_ran_tells_nobody(office: Office) -> None:
    job = office.bench.start(webhook=URL)
    office.bench.queue.delete(job.id, "ann")

    office.bench.commit(job)

    assert taken(office) == []
    assert office.idle()


def _settled(office: Office, state: DeliveryState) -> Job:
    job = office.ended(URL)
    (message,) = office.outbox.take(1)
    office.outbox.settle(message, Outcome(state, ATTEMPT, pause_seconds=3600))
    return job


@pytest.mark.parametrize("state", DeliveryState)
def test_every_message_can_be_sent_again(office: Office, state: DeliveryState) -> None:
    job = _settled(office, state)
    message_id = office.delivery(job).message.id

    delivery = office.outbox.redeliver(message_id, "ann")

    assert delivery.state is DeliveryState.PENDING
    (message,) = office.outbox.take(10)
    assert (message.id, message.tries) == (message_id, 1 if state is DeliveryState.PENDING else 0)
    assert office.state.ttl(f"{PREFIX}outbox:{message_id}") == -1
    assert office.outbox.redeliver(message_id, "ann").attempts == (ATTEMPT,)
    assert taken(office) == [], "it is being sent already"
    office.outbox.settle(message, DELIVERED)
    assert len(office.delivery(job).attempts) == 2
    assert office.idle()


def test_others_see_and_send_nothing(office: Office) -> None:
    job = office.ended(URL)
    message_id = office.delivery(job).message.id

    assert office.outbox.deliveries(job.id, "bob") == []
    for owner, name in (("bob", message_id), ("ann", "msg_" + "0" * 24)):
        with pytest.raises(MessageNotFound):
            office.outbox.redeliver(name, owner)


@pytest.mark.parametrize(
    ("life", "least", "most"),
    [(60, 3600, 3600), (7 * 86400, 7 * DAY - 60, 7 * DAY), (300 * 86400, 30 * DAY, 30 * DAY)],
)
def test_a_log_is_kept_as_long_as_its_job_within_bounds(
    office: Office, life: int, least: float, most: float
) -> None:
    job = office.bench.add(webhook=URL, expires_in_seconds=life)
    office.bench.queue.cancel(job.id, "ann")
    (message,) = office.outbox.take(1)
    assert office.state.ttl(f"{PREFIX}outbox:{message.id}") == -1, "a pending message is never trimmed"

    office.outbox.settle(message, FAILED)

    assert least - 5 <= office.state.ttl(f"{PREFIX}outbox:{message.id}") <= most


def test_only_the_last_attempts_are_kept(office: Office) -> None:
    job = office.ended(URL)
    for number in range(60):
        office.outbox.redeliver(office.delivery(job).message.id, "ann")
        (message,) = office.outbox.take(1)
        office.outbox.settle(message, Outcome(DeliveryState.FAILED, DeliveryAttempt(number, 1, status=500)))

    assert [attempt.at for attempt in office.delivery(job).attempts] == list(range(10, 60))


def test_the_backlog(office: Office) -> None:
    assert office.outbox.backlog() == Backlog(0, 0.0)
    for _ in range(12):
        office.ended(URL)
    first = office.outbox.take(100)
    office.outbox.settle(first[0], later(3600))
    office.bench.wait(30)

    backlog = office.outbox.backlog()

    assert backlog.pending == 12
    assert 30 <= backlog.oldest_due_seconds < 40


def _take(office: Office, token: str, most: int = 3) -> list[Message]:
    _, found, _ = office.outbox._scripts.run("outbox_take", token=token, most=most)
    return [Message.read(dict(zip(flat[::2], flat[1::2], strict=True))) for flat in found]


def _snapshot(state: redis.Redis) -> dict[str, object]:
    """All that is stored, without times to live."""
    readers = {
        "hash": state.hgetall,
        "zset": lambda key: state.zrange(key, 0, -1, withscores=True),
        "string": state.get,
        "set": state.smembers,
        "stream": state.xlen,
    }
    return {key: readers[state.type(key)](key) for key in state.keys("*")}


def test_a_call_whose_answer_was_lost_may_be_repeated(office: Office) -> None:
    for _ in range(5):
        office.ended(URL)
    first = _take(office, "token")
    before = _snapshot(office.state)

    assert _take(office, "token") == first
    assert _snapshot(office.state) == before

    for outcome in (DELIVERED, FAILED, later(5)):
        message = first.pop()
        office.outbox.settle(message, outcome)
        before = _snapshot(office.state)
        office.outbox.settle(message, outcome)
        assert _snapshot(office.state) == before


def test_many_due_messages_to_one_destination_are_looked_past(office: Office) -> None:
    queue = office.bench.queue
    dead = queue.enqueue([office.bench.new(webhook=URL) for _ in range(450)]).jobs
    Bulk(office.state, queue).cancel(["ann"], Filters())
    quick = office.ended("https://b.example/hook")
    assert len(office.outbox.take(8)) == 8

    (message,) = office.outbox.take(8)

    assert message.job == quick.id
    assert office.outbox.backlog().pending == len(dead) + 1


def test_a_message_that_cannot_be_read_keeps_no_other_from_being_sent(office: Office) -> None:
    torn, whole = office.ended(URL), office.ended(URL)
    office.state.hdel(f"{PREFIX}outbox:{torn.id.replace('job_', 'msg_')}", "version")

    assert taken(office) == [whole.id]
