"""Two owners of one server: nothing of the one can be seen, used, changed or counted by the other.

Every call of the API is sorted below; a new one fails here until it is, too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import httpx
import pytest

from api.routes import ROUTES, Route
from infra.storage import open_storage
from tests.bad_inputs.bench import Bench
from tests.integration.api.support import ApiServer, Hand, png, problem, submitted, text_to_image
from tests.servers import S3Server

FOR_ALL = {
    "catalog.models", "catalog.kinds", "catalog.queues", "catalog.workers",
    "system.livez", "system.readyz", "system.show_metrics", "system.openapi", "system.docs",
}  # fmt: skip
"""Calls that tell the same to everyone, and nothing of anyone's."""
MAKES = {"jobs.submit", "uploads.create", "webhooks.create"}
"""Calls that make something for who asks; what they may refer to is tried in `test_a_reference`."""
LISTS = {"jobs.index", "webhooks.index"}
IN_BULK = {"jobs.cancel_many", "jobs.retry_many"}
OWN_SECRET = {"webhooks.own_secret", "webhooks.rotate_own_secret"}
BY_ID = [route for route in ROUTES if "{" in route.path and route.auth == "key"]
ADMIN = [route for route in ROUTES if route.auth == "admin"]


@dataclass
class Belongings:
    """One of each thing that an owner can have."""

    job_id: str
    name: str
    message_id: str
    endpoint_id: str
    upload_id: str
    owner: str = "alice"

    def path(self, route: Route) -> str:
        return route.path.format(**vars(self))


@pytest.fixture
def of_alice(bench: Bench) -> Belongings:
    url = {"url": "https://receiver.invalid/hook"}
    endpoint = bench.alice.post("/v1/webhook-endpoints", json=url).json()["id"]
    upload = bench.alice.post("/v1/uploads", content=png()).json()["id"]
    job = submitted(bench.alice, {**text_to_image(), "webhook": endpoint})["id"]
    name = bench.hand.finish().artifacts[0].name
    message = bench.alice.get(f"/v1/jobs/{job}/deliveries").json()["data"][0]["id"]
    return Belongings(job, name, message, endpoint, upload)


def test_every_call_is_sorted() -> None:
    sorted_out = FOR_ALL | MAKES | LISTS | IN_BULK | OWN_SECRET | {route.name for route in [*BY_ID, *ADMIN]}
    assert {route.name for route in ROUTES} == sorted_out


def test_the_other_s_ids_are_not_there(bench: Bench, of_alice: Belongings) -> None:
    before = bench.stored()
    for route in BY_ID:
        answer = bench.bob.request(route.method, of_alice.path(route))
        assert answer.status_code == 404, (route.name, answer.text)
        assert answer.json()["type"].endswith("_not_found")
        assert bench.stored() == before, route.name
    for route in sorted(BY_ID, key=lambda route: route.method == "DELETE"):  # for her they are there
        answer = bench.alice.request(route.method, of_alice.path(route))
        assert answer.status_code not in (403, 404), (route.name, answer.text)


def test_operators_calls_need_their_scope(bench: Bench, of_alice: Belongings) -> None:
    for route in ADMIN:
        problem(bench.bob.request(route.method, of_alice.path(route)), 403, "forbidden")


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/webhook-endpoints"])
def test_lists_are_one_s_own(bench: Bench, of_alice: Belongings, path: str) -> None:
    assert bench.bob.get(path).json()["data"] == []
    assert len(bench.alice.get(path).json()["data"]) == 1


def test_a_cursor_opens_nobody_else_s_list(bench: Bench, of_alice: Belongings) -> None:
    submitted(bench.alice)
    cursor = bench.alice.get("/v1/jobs?limit=1").json()["next_cursor"]
    assert cursor
    assert bench.bob.get("/v1/jobs", params={"cursor": cursor}).json()["data"] == []


def test_bulk_calls_change_one_s_own(bench: Bench) -> None:
    failed, queued = submitted(bench.alice), submitted(bench.alice)
    bench.hand.fail()
    assert bench.bob.post("/v1/jobs/cancel").json()["count"] == 0
    assert bench.bob.post("/v1/jobs/retry").json()["count"] == 0
    found = {job["id"]: job["status"] for job in bench.alice.get("/v1/jobs").json()["data"]}
    assert found == {failed["id"]: "failed", queued["id"]: "queued"}


def test_webhook_secrets_are_one_s_own(bench: Bench) -> None:
    of_alice = bench.alice.post("/v1/webhook-secret/rotate").json()["secret"]
    assert bench.bob.get("/v1/webhook-secret").json()["exists"] is False
    assert bench.bob.post("/v1/webhook-secret/rotate").json()["secret"] != of_alice


@pytest.mark.parametrize("thing", ["upload", "job", "artifact", "webhook"])
def test_a_reference(bench: Bench, of_alice: Belongings, thing: str) -> None:
    image = {
        "upload": {"upload": of_alice.upload_id},
        "job": {"job": of_alice.job_id},
        "artifact": {"job": of_alice.job_id, "artifact": of_alice.name},
    }.get(thing)
    if image is None:
        body, pointer = {**text_to_image(), "webhook": of_alice.endpoint_id}, "/webhook"
    else:
        inputs = {"prompt": "x", "image": image}
        body, pointer = {"kind": "image-to-image", "model": "test/fake", "inputs": inputs}, "/inputs/image"
    answer = bench.bob.post("/v1/jobs", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)
    assert bench.bob.get("/v1/jobs").json()["data"] == []
    assert bench.alice.post("/v1/jobs", json=body).status_code == 202


def test_idempotency_keys_are_one_s_own(bench: Bench) -> None:
    headers = {"Idempotency-Key": "same"}
    first, second = (
        client.post("/v1/jobs", json=text_to_image(client.headers["authorization"]), headers=headers)
        for client in (bench.alice, bench.bob)
    )
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] != second.json()["id"]


def test_somebody_else_s_job_is_like_one_that_never_was(bench: Bench, of_alice: Belongings) -> None:
    never = bench.bob.get("/v1/jobs/job_" + "0" * 24).json()
    his = bench.bob.get(f"/v1/jobs/{of_alice.job_id}").json()
    assert {**never, "instance": ""} == {**his, "instance": ""}


def test_a_signed_url_opens_one_artifact(signing: Bench) -> None:
    """Where clients are sent to the S3 server: no URL for the other's artifact, and one's own opens no other
    key."""
    paths = []
    for client in (signing.alice, signing.bob):
        job = submitted(client)["id"]
        signing.hand.finish()
        paths.append(f"/v1/jobs/{job}/artifacts/0.png")
    of_alice, of_bob = paths

    problem(signing.bob.get(of_alice), 404, "job_not_found")
    hers = signing.alice.get(of_alice).headers["location"]
    his = signing.bob.get(of_bob).headers["location"]
    assert httpx.get(his).content == httpx.get(hers).content == png()
    assert httpx.URL(his).params["X-Amz-Expires"] == "900"
    forged = httpx.URL(his).copy_with(path=httpx.URL(hers).path)
    assert httpx.get(forged).status_code == 403
    assert httpx.get(httpx.URL(hers).copy_with(query=None)).status_code in (400, 403)


@pytest.fixture
def signing(
    bench: Bench,
    s3_rclone: S3Server,
    start_api: Callable[..., ApiServer],
) -> Iterator[Bench]:
    """A bench whose artifacts are answered with URLs of the S3 server."""
    places = {
        "storage_url": s3_rclone.url(),
        "storage_public_url": f"http://127.0.0.1:{s3_rclone.port}",
    }
    api = start_api(
        redis_url=bench.api.settings.redis_url, broker_url=bench.api.settings.broker_url, **places
    )
    hand = Hand(bench.hand.queue, open_storage(api.settings))
    clients = [api.client(bench.keys.create(owner)[1]) for owner in ("alice", "bob")]
    with clients[0], clients[1]:
        yield replace(bench, api=api, hand=hand, alice=clients[0], bob=clients[1])
