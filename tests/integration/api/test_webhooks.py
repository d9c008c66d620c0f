"""Webhooks as an owner uses them: a real API process, a real receiver."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import httpx
import psutil
import pytest
import redis

from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.jobs.scripts import PREFIX
from infra.settings import Settings
from infra.storage import open_storage
from tests import servers
from tests.conftest import session_server
from tests.integration.api.support import (
    CATALOG,
    ApiServer,
    Hand,
    Json,
    problem,
    submitted,
    text_to_image,
)
from tests.receiver import Received, Receiver
from tests.servers import StateServer, free_port, valkey_program, wait_for

ENDPOINTS = "/v1/webhook-endpoints"
NOBODY = "https://hooks.example/atelier"
UNKNOWN = "we_" + "0" * 24


@pytest.fixture(scope="module")
def post_office(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[ApiServer, Receiver, StateServer]]:
    """An API that may reach its receiver. Not the session's: that one refuses what is on loopback."""
    folder = tmp_path_factory.mktemp("post-office")
    receiver = Receiver()
    for state in session_server(valkey_program()):
        settings = Settings(
            home=folder / "home",
            port=free_port(),
            catalog=str(CATALOG),
            redis_url=state.url,
            webhook_allow=receiver.allow,
            log_level="debug",
        )
        api = ApiServer(settings, folder)
        with receiver.serving(), ExitStack() as stack:
            stack.callback(api.stop)
            api.start()
            assert api.process is not None
            servers.kept.add(api.process.pid)
            yield api, receiver, state


@pytest.fixture
def reaching_api(post_office: tuple[ApiServer, Receiver, StateServer]) -> ApiServer:
    return post_office[0]


@pytest.fixture
def reaching(reaching_api: ApiServer) -> Iterator[httpx.Client]:
    with reaching_api.client() as client:
        yield client


@pytest.fixture
def receiver(post_office: tuple[ApiServer, Receiver, StateServer]) -> Receiver:
    """Without requests, and content with all that come."""
    found = post_office[1]
    found.requests.clear()
    found.answer = lambda _: (204, {})
    return found


@pytest.fixture
def reaching_records(post_office: tuple[ApiServer, Receiver, StateServer]) -> Iterator[redis.Redis]:
    with post_office[2].client() as client:
        yield client


def made(client: httpx.Client, url: str = NOBODY, **more: Any) -> Json:
    answer = client.post(ENDPOINTS, json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    assert answer.headers["location"] == f"{ENDPOINTS}/{found['id']}"
    return found


def cancelled(client: httpx.Client, webhook: str) -> str:
    """The id of a job that has ended."""
    job = submitted(client, text_to_image() | {"webhook": webhook})
    assert job["webhook"] == webhook
    assert client.post(job["urls"]["cancel"]).json()["status"] == "cancelled"
    return str(job["id"])


def delivery(client: httpx.Client, job_id: str) -> Json:
    (found,) = client.get(f"/v1/jobs/{job_id}/deliveries").json()["data"]
    return dict(found)


def wait_for_state(client: httpx.Client, job_id: str, state: str) -> Json:
    wait_for(lambda: delivery(client, job_id)["state"] == state, 20, f"a {state} message")
    return delivery(client, job_id)


def test_an_endpoint_lives(client: httpx.Client) -> None:
    endpoint = made(client, description="mine")
    path = f"{ENDPOINTS}/{endpoint['id']}"
    secret = endpoint.pop("secret")

    assert secret.startswith("whsec_")
    assert (endpoint["url"], endpoint["description"]) == (NOBODY, "mine")
    assert client.get(path).json() == endpoint
    assert client.get(ENDPOINTS).json() == {"data": [endpoint]}
    assert "secret" not in client.get(ENDPOINTS).text.replace("webhook-secret", "")
    rotated = client.post(f"{path}/rotate").json()
    assert rotated.pop("secret") not in (None, secret)
    assert "rotated_at" in rotated
    assert client.post(f"{path}/disable").json()["disabled_because"] == "asked"
    assert "disabled_at" not in client.post(f"{path}/enable").json()
    assert client.delete(path).status_code == 204
    problem(client.get(path), 404, "endpoint_not_found")
    assert client.get(ENDPOINTS).json() == {"data": []}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": 7}, "/url"),
        ({"url": ""}, "/url"),
        ({"url": NOBODY, "secret": "whsec_mine"}, "/secret"),
        ({"url": NOBODY, "description": "x" * 201}, "/description"),
        ({"url": "http://hooks.example/"}, "/url"),
        ({"url": "https://127.0.0.1/"}, "/url"),
        ({"url": "https://[::ffff:169.254.169.254]/"}, "/url"),
        ({"url": "https://0x7f.1/"}, "/url"),
        ({"url": "https://user@hooks.example/"}, "/url"),
        ({"url": "https://hooks.example:6379/"}, "/url"),
        ({"url": "gopher://hooks.example/"}, "/url"),
        ([], ""),
    ],
)
def test_a_bad_endpoint_is_refused(client: httpx.Client, body: object, pointer: str) -> None:
    answer = client.post(ENDPOINTS, json=body)

    assert problem(answer, 422, "invalid_request")["errors"][0]["pointer"] == pointer
    assert client.get(ENDPOINTS).json() == {"data": []}


@pytest.mark.parametrize(
    "webhook", ["", 7, "we_1", UNKNOWN, "https://10.0.0.1/", "ftp://a.example/", NOBODY, "x" * 2049]
)
def test_a_bad_webhook_is_refused_and_nothing_enqueued(client: httpx.Client, webhook: object) -> None:
    answer = client.post("/v1/jobs", json=text_to_image() | {"webhook": webhook})

    body = problem(answer, 422, "invalid_request")
    assert [fault["pointer"] for fault in body["errors"]] == ["/webhook"]
    if webhook == NOBODY:
        assert "/v1/webhook-secret/rotate" in body["detail"]
    assert client.get("/v1/jobs").json()["data"] == []


def test_in_a_chain_the_pointer_names_the_job(client: httpx.Client) -> None:
    chain = [text_to_image() | {"ref": "a"}, text_to_image() | {"ref": "b", "webhook": UNKNOWN}]

    body = problem(client.post("/v1/jobs", json=chain), 422, "invalid_request")

    assert [fault["pointer"] for fault in body["errors"]] == ["/1/webhook"]


def test_a_disabled_endpoint_takes_no_jobs(client: httpx.Client) -> None:
    endpoint = made(client)
    client.post(f"{ENDPOINTS}/{endpoint['id']}/disable")

    answer = client.post("/v1/jobs", json=text_to_image() | {"webhook": endpoint["id"]})

    assert "disabled" in problem(answer, 422, "invalid_request")["errors"][0]["detail"]


def test_others_see_nothing(client: httpx.Client, key_of: Callable[[str], str], api: ApiServer) -> None:
    with api.client(key_of("ann")) as ann, api.client(key_of("bob")) as bob:
        ann.post("/v1/webhook-secret/rotate")
        endpoint = made(ann)
        job = cancelled(ann, endpoint["id"])
        message = delivery(ann, job)["id"]
        path = f"{ENDPOINTS}/{endpoint['id']}"

        assert bob.get(ENDPOINTS).json() == {"data": []}
        assert bob.get("/v1/webhook-secret").json() == {"exists": False}
        problem(bob.get(path), 404, "endpoint_not_found")
        problem(bob.delete(path), 404, "endpoint_not_found")
        for call in ("rotate", "enable", "disable", "test"):
            problem(bob.post(f"{path}/{call}"), 404, "endpoint_not_found")
        problem(bob.get(f"/v1/jobs/{job}/deliveries"), 404, "job_not_found")
        problem(bob.post(f"/v1/jobs/{job}/deliveries/{message}/redeliver"), 404, "job_not_found")
        problem(
            bob.post("/v1/jobs", json=text_to_image() | {"webhook": endpoint["id"]}), 422, "invalid_request"
        )
        assert ann.get(path).json()["id"] == endpoint["id"]


def test_messages_are_of_their_job(client: httpx.Client) -> None:
    endpoint = made(client)
    first, second = (cancelled(client, endpoint["id"]) for _ in range(2))
    message = delivery(client, second)["id"]

    for wrong in (message, "msg_1", "lane:x"):
        answer = client.post(f"/v1/jobs/{first}/deliveries/{wrong}/redeliver")
        problem(answer, 404, "message_not_found")
    assert client.get(f"/v1/jobs/{submitted(client)['id']}/deliveries").json() == {"data": []}


def test_an_end_is_told_and_told_again(reaching: httpx.Client, receiver: Receiver) -> None:
    endpoint = made(reaching, receiver.url)
    job = cancelled(reaching, endpoint["id"])

    found = wait_for_state(reaching, job, "delivered")

    assert [attempt["status"] for attempt in found["attempts"]] == [204]
    assert receiver.requests[0].verified(endpoint["secret"])["data"]["id"] == job
    assert receiver.ids == [found["id"]]
    answer = reaching.post(f"/v1/jobs/{job}/deliveries/{found['id']}/redeliver")
    assert (answer.status_code, answer.json()["state"]) == (202, "pending")
    wait_for(lambda: len(wait_for_state(reaching, job, "delivered")["attempts"]) == 2, 20)
    assert receiver.ids == [found["id"]] * 2
    metrics = reaching.get("/metrics").text
    assert 'atelier_webhook_deliveries_total{result="delivered"}' in metrics
    assert "atelier_webhook_pending" in metrics


def test_a_url_is_signed_with_the_owners_secret(reaching: httpx.Client, receiver: Receiver) -> None:
    answer = reaching.post("/v1/webhook-secret/rotate").json()
    assert reaching.get("/v1/webhook-secret").json() == {"exists": True, "rotated_at": answer["rotated_at"]}
    job = cancelled(reaching, receiver.url)

    wait_for_state(reaching, job, "delivered")

    assert receiver.requests[0].verified(answer["secret"])["data"]["id"] == job


def test_a_success_can_be_fetched_when_it_is_told(
    reaching: httpx.Client, reaching_api: ApiServer, receiver: Receiver, reaching_records: redis.Redis
) -> None:
    endpoint = made(reaching, receiver.url)
    told: list[Json] = []

    def fetch(received: Received) -> tuple[int, dict[str, str]]:
        told.append(reaching.get(f"/v1/jobs/{json.loads(received.body)['data']['id']}").json())
        return 200, {}

    receiver.answer = fetch
    job = submitted(reaching, text_to_image() | {"webhook": endpoint["id"]})
    Hand(JobQueue(reaching_records, limits=Limits()), open_storage(reaching_api.settings)).finish()
    wait_for_state(reaching, job["id"], "delivered")

    assert [(each["id"], each["status"], len(each["artifacts"])) for each in told] == [
        (job["id"], "succeeded", 1)
    ]
    assert receiver.requests[0].verified(endpoint["secret"])["data"]["version"] == told[0]["version"]


def test_a_test_message(reaching: httpx.Client, receiver: Receiver) -> None:
    endpoint = made(reaching, receiver.url)
    path = f"{ENDPOINTS}/{endpoint['id']}"
    reaching.post(f"{path}/disable")

    answer = reaching.post(f"{path}/test").json()

    assert (answer["delivered"], answer["status"]) == (True, 204)
    told = receiver.requests[0].verified(endpoint["secret"])
    assert (told["type"], told["data"]) == ("webhook.test", {"endpoint": endpoint["id"]})
    receiver.answer = lambda _: (302, {"Location": "http://127.0.0.1/"})
    answer = reaching.post(f"{path}/test").json()
    assert (answer["delivered"], answer["status"]) == (False, 302)
    assert len(receiver.requests) == 2


def test_a_test_of_a_receiver_that_is_down(reaching: httpx.Client) -> None:
    endpoint = made(reaching, "https://no.such.host.invalid/")

    answer = reaching.post(f"{ENDPOINTS}/{endpoint['id']}/test").json()

    assert answer["delivered"] is False
    assert "status" not in answer
    assert answer["error"]


def test_secrets_and_urls_are_not_in_the_log(
    reaching: httpx.Client, reaching_api: ApiServer, receiver: Receiver
) -> None:
    url = f"{receiver.url}?token=abcdefgh"
    endpoint = made(reaching, url)
    own = reaching.post("/v1/webhook-secret/rotate").json()["secret"]
    rotated = reaching.post(f"{ENDPOINTS}/{endpoint['id']}/rotate").json()["secret"]
    for webhook in (endpoint["id"], url):
        wait_for_state(reaching, cancelled(reaching, webhook), "delivered")

    assert "webhook.called" in reaching_api.log
    for secret in (endpoint["secret"], own, rotated, "abcdefgh"):
        assert secret.removeprefix("whsec_") not in reaching_api.log


def test_a_message_survives_kill_9_of_the_api(
    start_api: Callable[..., ApiServer], start_server: Callable[..., StateServer], receiver: Receiver
) -> None:
    """The process dies while the receiver is still thinking; another one tells it again."""
    state = start_server()
    start = partial(start_api, redis_url=state.url, webhook_allow=receiver.allow)
    first = start()
    killed = threading.Event()

    def kill(_: Received) -> tuple[int, dict[str, str]]:
        if not killed.is_set():
            assert first.process is not None
            for process in psutil.Process(first.process.pid).children(recursive=True):
                process.kill()
            killed.set()
        return 200, {}

    receiver.answer = kill
    with first.client() as client, state.client() as records:
        endpoint = made(client, receiver.url)
        job = submitted(client, text_to_image() | {"webhook": endpoint["id"]})
        JobQueue(records, limits=Limits()).cancel(job["id"], "local")
        assert killed.wait(20)
        records.incrby(f"{PREFIX}skew", 61_000)  # the lease of the dead
    with start().client() as client:
        found = wait_for_state(client, job["id"], "delivered")

    assert receiver.ids == [found["id"]] * 2
    assert len(found["attempts"]) == 1, "the attempt of the dead was not noted"
