"""Receivers of webhooks that are down, slow, or answer what they should not.

The clock of the state server is moved past the pauses of the schedule.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import redis

from infra.jobs.scripts import PREFIX
from infra.webhooks.schedule import PAUSES
from tests.chaos.matrix import Seen, fault
from tests.integration.api.support import ApiServer, Json, submitted, text_to_image
from tests.integration.cluster import Cluster
from tests.receiver import Received, Receiver
from tests.servers import StateServer, wait_for

SECONDS = 20.0  # for what takes a moment
Answer = Callable[[Received], tuple[int, dict[str, str]]]


@dataclass
class Office:
    """An owner with an endpoint, at an API that may reach its receiver."""

    client: httpx.Client
    state: redis.Redis
    endpoint: Json
    receiver: Receiver

    def ended(self, webhook: str = "") -> str:
        """A job that was cancelled, by id."""
        job = submitted(self.client, text_to_image() | {"webhook": webhook or self.endpoint["id"]})
        self.client.post(job["urls"]["cancel"])
        return str(job["id"])

    def delivery(self, job_id: str) -> Json:
        """The job's message; one without attempts while the job has not ended."""
        found = self.client.get(f"/v1/jobs/{job_id}/deliveries").json()["data"]
        return dict(found[0]) if found else {"state": "pending", "attempts": []}

    def wait_for_attempt(self, number: int, *job_ids: str) -> list[Json]:
        """The deliveries of these jobs, once each has had so many attempts."""
        return self._wait_for(lambda found: len(found["attempts"]) >= number, f"attempt {number}", job_ids)

    def wait_for_state(self, state: str, *job_ids: str) -> list[Json]:
        return self._wait_for(lambda found: found["state"] == state, f"a {state} message", job_ids)

    def _wait_for(self, condition: Callable[[Json], bool], what: str, job_ids: Sequence[str]) -> list[Json]:
        wait_for(lambda: all(condition(self.delivery(job_id)) for job_id in job_ids), SECONDS, what)
        return [self.delivery(job_id) for job_id in job_ids]

    def later(self, seconds: float) -> None:
        """Move the clock on."""
        self.state.incrby(f"{PREFIX}skew", round(seconds * 1000))


@pytest.fixture
def receiver() -> Receiver:
    """Not up yet."""
    return Receiver()


@pytest.fixture
def api(
    start_api: Callable[..., ApiServer], state: StateServer, own_broker: StateServer, receiver: Receiver
) -> ApiServer:
    urls = {"redis_url": state.url, "broker_url": own_broker.url}
    return start_api(**urls, webhook_allow=receiver.allow, webhook_timeout_seconds=2.0)


@pytest.fixture
def office(api: ApiServer, state: StateServer, receiver: Receiver) -> Iterator[Office]:
    with api.client() as client, state.client() as records:
        endpoint = client.post("/v1/webhook-endpoints", json={"url": receiver.url}).json()
        yield Office(client, records, endpoint, receiver)


def always(status: int, **headers: str) -> Answer:
    return lambda _: (status, headers)


@fault(
    32,
    "A receiver of webhooks is down for an hour, and the API that was sending is killed meanwhile",
    "attempts by the schedule; once it is back it gets each event once",
)
def test_a_receiver_is_down_for_an_hour(
    office: Office, api: ApiServer, cluster: Cluster, start_api: Callable[..., ApiServer], seen: Seen
) -> None:
    receiver = office.receiver
    # Given jobs that a worker runs, and others that are cancelled
    cluster.start_worker()
    webhook: dict[str, Any] = {"webhook": office.endpoint["id"]}
    jobs = [submitted(office.client, text_to_image("steps=1", seed=n) | webhook)["id"] for n in range(5)]
    jobs += [office.ended() for _ in range(5)]
    # When an hour goes by, and with it the first three attempts
    for number, pause in enumerate(PAUSES[:3], start=1):
        for delivery in office.wait_for_attempt(number, *jobs):
            assert (delivery["state"], "status" in delivery["attempts"][-1]) == ("pending", False)
        office.later(pause * 1.11)
    office.wait_for_attempt(4, *jobs)
    api.terminate()
    back = time.monotonic()
    with receiver.serving(), start_api(**_same(api)).client() as client:
        office.client = client
        office.later(PAUSES[3] * 1.11)
        found = office.wait_for_state("delivered", *jobs)
        seconds = time.monotonic() - back
    # Then
    assert sorted(receiver.ids) == sorted(delivery["id"] for delivery in found)
    told = [received.verified(office.endpoint["secret"])["type"] for received in receiver.requests]
    assert sorted(told) == ["job.cancelled"] * 5 + ["job.succeeded"] * 5
    seen("four attempts each while it was down, then 10 of 10 events, each once", seconds)


def _same(api: ApiServer) -> dict[str, Any]:
    names = ("redis_url", "broker_url", "webhook_allow", "webhook_timeout_seconds")
    return {name: getattr(api.settings, name) for name in names}


@fault(
    32,
    "A receiver answers 429 with `Retry-After: 7200`",
    "no attempt before that time, then delivered",
)
@pytest.mark.slow
def test_a_receiver_asks_for_patience(office: Office, receiver: Receiver, seen: Seen) -> None:
    receiver.answer = always(429, **{"Retry-After": "7200"})
    with receiver.serving():
        job = office.ended()
        office.wait_for_attempt(1, job)
        # When all but the last moments have passed
        office.later(7180)
        quick = office.ended()
        office.wait_for_attempt(1, quick)
        assert len(office.delivery(job)["attempts"]) == 1
        receiver.answer = always(200)
        office.later(7200)
        office.wait_for_state("delivered", job, quick)
    seen("attempts after 7,200 s and not before")


@fault(
    32,
    "A receiver answers 410",
    "the message fails, the endpoint is disabled, and submissions to it are refused",
)
@pytest.mark.slow
def test_a_receiver_is_gone(office: Office, receiver: Receiver, seen: Seen) -> None:
    receiver.answer = always(410)
    with receiver.serving():
        (delivery,) = office.wait_for_state("failed", office.ended())
        endpoint = office.client.get(f"/v1/webhook-endpoints/{office.endpoint['id']}").json()
        refused = office.client.post("/v1/jobs", json=text_to_image() | {"webhook": endpoint["id"]})
    assert [attempt["status"] for attempt in delivery["attempts"]] == [410]
    assert endpoint["disabled_because"] == "gone"
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/webhook")
    assert len(receiver.requests) == 1
    seen("one attempt, endpoint disabled (`gone`), the next submission 422 at /webhook")


@fault(
    32,
    "A receiver answers with a redirect to an address inside",
    "not followed; the attempt has failed and is repeated by the schedule",
)
@pytest.mark.slow
@pytest.mark.parametrize("status", [301, 307])
def test_a_receiver_redirects(status: int, office: Office, receiver: Receiver, seen: Seen) -> None:
    with Receiver().serving() as inside, receiver.serving():
        receiver.answer = always(status, Location=inside.url)
        job = office.ended()
        office.wait_for_attempt(1, job)
        receiver.answer = always(200)
        office.later(PAUSES[0] * 1.11)
        (delivery,) = office.wait_for_state("delivered", job)
    assert [attempt["status"] for attempt in delivery["attempts"]] == [status, 200]
    assert inside.requests == []
    seen("never followed, delivered by the second attempt")


@fault(
    32,
    "A receiver takes the requests and does not answer",
    "cut off at the time limit and repeated; other endpoints get their messages meanwhile",
)
def test_a_receiver_is_slow(office: Office, receiver: Receiver, seen: Seen) -> None:
    let_go = threading.Event()

    def slowly(received: Received) -> tuple[int, dict[str, str]]:
        if received.path == "/slow":
            let_go.wait(SECONDS)
        return 200, {}

    receiver.answer = slowly
    url = receiver.url.replace("/hook", "/slow")
    slow = office.client.post("/v1/webhook-endpoints", json={"url": url}).json()["id"]
    with receiver.serving():
        stuck = [office.ended(slow) for _ in range(20)]
        wait_for(lambda: receiver.requests, SECONDS, "a request to the slow one")
        begun = time.monotonic()
        office.wait_for_state("delivered", *(office.ended() for _ in range(5)))
        seconds = time.monotonic() - begun
        (delivery,) = office.wait_for_attempt(1, stuck[0])
        let_go.set()
        office.wait_for_attempt(1, *stuck)
        office.later(PAUSES[0] * 1.11)
        office.wait_for_state("delivered", *stuck)
    assert "2 seconds" in delivery["attempts"][0]["error"]
    seen(
        f"cut off after 2 s (its limit here); 5 messages to another endpoint within {seconds:.1f} s meanwhile"
    )
