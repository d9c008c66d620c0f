"""The dispatcher against a real receiver, on both servers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from standardwebhooks import WebhookVerificationError
from structlog.testing import capture_logs

from infra.jobs.scripts import PREFIX
from infra.outbound import Outbound
from infra.webhooks import dispatcher
from infra.webhooks.dispatcher import Dispatcher
from infra.webhooks.endpoints import DisabledBecause
from infra.webhooks.messages import DeliveryState
from infra.webhooks.outbox import message_id
from infra.webhooks.schedule import PAUSES
from infra.webhooks.sender import Sender
from tests.receiver import Received, Receiver
from tests.servers import StateServer, wait_for
from tests.unit.webhooks.conftest import Office

DAY = 86400.0


@contextmanager
def running(*dispatchers: Dispatcher) -> Iterator[None]:
    for each in dispatchers:
        each.start()
    try:
        yield
    finally:
        for each in dispatchers:
            each.stop()


def answering(*statuses: int, **headers: str) -> Callable[[Received], tuple[int, dict[str, str]]]:
    """These statuses one after the other, and the last one ever after."""
    left = list(statuses)
    return lambda _: (left.pop(0) if len(left) > 1 else left[0], headers)


def test_a_message_arrives_signed(office: Office, receiver: Receiver) -> None:
    endpoint, secret = office.endpoints.create("ann", receiver.url)
    own = office.endpoints.rotate_own("ann")

    with running(office.dispatcher(receiver)):
        job = office.bench.finish(webhook=endpoint.id)
        delivery = office.wait_for_state(job, DeliveryState.DELIVERED)
        by_url = office.bench.finish(webhook=receiver.url)
        office.wait_for_state(by_url, DeliveryState.DELIVERED)

    first, second = receiver.requests
    assert first.verified(secret) == {
        "type": "job.succeeded",
        "timestamp": first.verified(secret)["timestamp"],
        "data": {
            "id": job.id,
            "status": "succeeded",
            "kind": job.kind,
            "model": job.model,
            "version": job.version,
        },
    }
    assert first.headers["content-type"] == "application/json"
    assert first.path == "/hook"
    assert (delivery.attempts[0].status, delivery.attempts[0].error) == (204, None)
    assert second.verified(own)["data"]["id"] == by_url.id
    with pytest.raises(WebhookVerificationError):
        second.verified(secret)


def test_a_failing_receiver_is_tried_ten_times(office: Office, receiver: Receiver) -> None:
    endpoint, secret = office.endpoints.create("ann", receiver.url)
    receiver.answer = answering(500, 404, 301, 400, 503, 418, 500, 500, 500, 500)
    with running(office.dispatcher(receiver)):
        job = office.ended(endpoint.id)
        for number, pause in enumerate(PAUSES, start=1):
            delivery = office.wait_for_attempts(job, number)
            assert delivery.state is DeliveryState.PENDING
            office.bench.wait(pause * 1.11)
        delivery = office.wait_for_state(job, DeliveryState.FAILED)

    assert [attempt.status for attempt in delivery.attempts[:6]] == [500, 404, 301, 400, 503, 418]
    assert len(receiver.requests) == 10
    assert {received.body for received in receiver.requests} == {receiver.requests[0].body}
    assert set(receiver.ids) == {delivery.message.id}
    assert all(received.verified(secret) for received in receiver.requests)
    assert office.idle()


def test_a_receiver_that_is_down_for_an_hour_gets_each_event_once(office: Office) -> None:
    receiver = Receiver()
    endpoint, secret = office.endpoints.create("ann", receiver.url)
    with running(office.dispatcher(receiver), office.dispatcher(receiver)):
        jobs = [office.ended(endpoint.id) for _ in range(20)]
        for number, pause in enumerate(PAUSES[:3], start=1):
            for job in jobs:
                assert office.wait_for_attempts(job, number).attempts[-1].error
            office.bench.wait(pause * 1.11)
        for job in jobs:  # more than half an hour has passed, and the next attempt is two hours away
            office.wait_for_attempts(job, 4)
        office.endpoints.rotate(endpoint.id, "ann")
        with receiver.serving():
            office.bench.wait(PAUSES[3] * 1.11)
            for job in jobs:
                office.wait_for_state(job, DeliveryState.DELIVERED)

    assert sorted(received.verified(secret)["data"]["id"] for received in receiver.requests) == sorted(
        job.id for job in jobs
    )
    assert len(set(receiver.ids)) == 20
    assert office.idle()


def test_retry_after_is_honoured(office: Office, receiver: Receiver) -> None:
    endpoint, _ = office.endpoints.create("ann", receiver.url)
    receiver.answer = answering(429, **{"Retry-After": "3600"})
    with running(office.dispatcher(receiver)):
        job = office.ended(endpoint.id)
        office.wait_for_attempts(job, 1)
        office.bench.wait(3590)
        assert office.outbox.take(10) == []
        receiver.answer = answering(200)
        office.bench.wait(20)
        office.wait_for_state(job, DeliveryState.DELIVERED)


def test_gone_disables_the_endpoint(office: Office, receiver: Receiver) -> None:
    endpoint, _ = office.endpoints.create("ann", receiver.url)
    receiver.answer = answering(410)
    with running(office.dispatcher(receiver)):
        first = office.ended(endpoint.id)
        office.wait_for_state(first, DeliveryState.FAILED)
        second = office.ended(endpoint.id)
        delivery = office.wait_for_state(second, DeliveryState.FAILED)

    assert office.endpoints.get(endpoint.id, "ann").disabled_because is DisabledBecause.GONE
    assert len(receiver.requests) == 1
    assert delivery.attempts[0].status is None
    assert "disabled" in (delivery.attempts[0].error or "")


def test_a_redirect_is_not_followed(office: Office, receiver: Receiver) -> None:
    endpoint, _ = office.endpoints.create("ann", receiver.url)
    receiver.answer = lambda received: (307, {"Location": f"{receiver.url}/elsewhere"})
    with running(office.dispatcher(receiver)):
        job = office.ended(endpoint.id)
        delivery = office.wait_for_attempts(job, 1)

    assert delivery.attempts[0].status == 307
    assert [received.path for received in receiver.requests] == ["/hook"]


def test_a_receiver_that_may_not_be_reached_is_not(office: Office, receiver: Receiver) -> None:
    office.endpoints.rotate_own("ann")
    with running(office.dispatcher(Receiver())):
        job = office.ended(receiver.url)
        delivery = office.wait_for_attempts(job, 1)

    assert delivery.attempts[0].error
    assert receiver.requests == []


def test_a_slow_receiver_holds_up_nobody(office: Office, receiver: Receiver) -> None:
    let_go = threading.Event()

    def slowly(received: Received) -> tuple[int, dict[str, str]]:
        if received.path == "/slow":
            let_go.wait(30)
        return 200, {}

    receiver.answer = slowly
    slow, _ = office.endpoints.create("ann", receiver.url.replace("/hook", "/slow"))
    quick, _ = office.endpoints.create("ann", receiver.url)
    stuck = [office.ended(slow.id) for _ in range(20)]
    with running(office.dispatcher(receiver, timeout_seconds=30.0)):
        wait_for(lambda: len(receiver.requests) == 8, what="a full lane")
        for _ in range(20):
            job = office.ended(quick.id)
            office.wait_for_state(job, DeliveryState.DELIVERED)
        assert sum(received.path == "/slow" for received in receiver.requests) == 8
        let_go.set()
        for job in stuck:
            office.wait_for_state(job, DeliveryState.DELIVERED)

    assert len(set(receiver.ids)) == len(receiver.requests) == 40


def test_a_receiver_that_does_not_answer_in_time_has_failed(office: Office, receiver: Receiver) -> None:
    let_go = threading.Event()
    receiver.answer = lambda received: (200 if let_go.wait(30) else 500, {})
    endpoint, _ = office.endpoints.create("ann", receiver.url)
    with running(office.dispatcher(receiver, timeout_seconds=0.3)):
        job = office.ended(endpoint.id)
        delivery = office.wait_for_attempts(job, 1)
        let_go.set()

    assert delivery.attempts[0].error
    assert delivery.attempts[0].milliseconds >= 300


def test_many_dispatchers_send_each_message_once(office: Office, receiver: Receiver) -> None:
    endpoint, _ = office.endpoints.create("ann", receiver.url)
    jobs = [office.ended(endpoint.id) for _ in range(100)]
    with running(*(office.dispatcher(receiver) for _ in range(4))):
        for job in jobs:
            office.wait_for_state(job, DeliveryState.DELIVERED)

    assert sorted(set(receiver.ids)) == sorted(receiver.ids)
    assert len(receiver.ids) == 100
    assert office.idle()


def test_an_outcome_is_noted_once_the_state_server_is_back(
    start_server: Callable[..., StateServer], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "SETTLE_PAUSE", 0.1)
    server = start_server()
    office = Office(server.client())
    endpoint, _ = office.endpoints.create("ann", receiver.url)

    killed = threading.Event()

    def kill(_: Received) -> tuple[int, dict[str, str]]:
        server.kill()
        killed.set()
        return 200, {}

    receiver.answer = kill
    with running(office.dispatcher(receiver)):
        job = office.ended(endpoint.id)
        assert killed.wait(10)
        server.start()
        office.wait_for_state(job, DeliveryState.DELIVERED)

    assert len(receiver.requests) == 1


def test_a_broken_message_stops_nothing(office: Office, receiver: Receiver) -> None:
    endpoint, _ = office.endpoints.create("ann", receiver.url)
    broken, sound = office.ended(endpoint.id), office.ended(endpoint.id)
    office.state.hdel(f"{PREFIX}outbox:{message_id(broken.id)}", "version")
    with capture_logs() as logs, running(office.dispatcher(receiver)):
        wait_for(lambda: any(entry["action"] == "webhook.unreadable" for entry in logs), what="the log")
        office.wait_for_state(sound, DeliveryState.DELIVERED)


def test_what_nobody_foresaw_is_an_attempt_that_failed(office: Office, receiver: Receiver) -> None:
    class Broken(Outbound):
        def post(self, *_: object) -> None:  # type: ignore[override]
            raise ZeroDivisionError

    endpoint, _ = office.endpoints.create("ann", receiver.url)
    broken = Broken.__new__(Broken)
    sender = Sender(office.endpoints, broken)
    with capture_logs() as logs, running(Dispatcher(office.outbox, sender, interval=0.02)):
        job = office.ended(endpoint.id)
        delivery = office.wait_for_attempts(job, 1)

    assert delivery.state is DeliveryState.PENDING
    assert (delivery.attempts[0].status, delivery.attempts[0].milliseconds) == (None, 0)
    assert [entry["log_level"] for entry in logs if entry["action"] == "webhook.broken"] == ["error"]
