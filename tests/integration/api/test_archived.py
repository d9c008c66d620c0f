"""A job whose record has moved to the storage is to its owner what it was before."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis

from infra.archive import Archive
from infra.collector import collect
from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.jobs.scripts import PREFIX
from infra.uploads import Uploads
from tests.integration.api.support import ApiServer, Hand, problem, submitted, text_to_image
from tests.integration.api.test_events import Follower

Json = dict[str, Any]
ALL = -1.0  # seconds: jobs that end this moment are old enough


@pytest.fixture
def archive(api: ApiServer, hand: Hand, records: redis.Redis) -> Callable[[], int]:
    """Moves the records of all finished jobs."""
    queue = JobQueue(records, limits=Limits(), archive=Archive(hand.storage))
    return lambda: queue.archive(ALL)


@pytest.fixture
def archived(client: httpx.Client, hand: Hand, archive: Callable[[], int]) -> Json:
    """A job that has succeeded, as it was shown before its record moved."""
    job = submitted(client)
    hand.finish()
    shown: Json = client.get(job["urls"]["self"]).json()
    assert archive() == 1
    return shown


def test_it_is_shown_as_before(client: httpx.Client, archived: Json, records: redis.Redis) -> None:
    path = archived["urls"]["self"]
    assert not records.exists(f"{PREFIX}j:{archived['id']}")

    answer = client.get(path)
    assert answer.json() == archived
    assert client.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert client.get(path, headers={"Prefer": "wait=30"}).json() == archived
    assert client.post(archived["urls"]["cancel"]).json() == archived


def test_its_artifacts_are_served(client: httpx.Client, archived: Json) -> None:
    (artifact,) = archived["artifacts"]
    assert client.get(artifact["url"]).headers["ETag"] == f'"{artifact["sha256"]}"'


def test_its_events_are_its_final_one(client: httpx.Client, archived: Json) -> None:
    assert Follower(client, archived).join() == ["job.succeeded"]
    last = f"0-{archived['version']}"
    again = Follower(client, archived, after=last)
    assert (again.join(), again.status) == ([], 204)


def test_it_is_listed_and_filtered(
    client: httpx.Client, hand: Hand, archive: Callable[[], int], archived: Json
) -> None:
    failed = submitted(client)
    hand.fail()
    archive()
    young = submitted(client)

    def ids(query: str = "") -> list[str]:
        return [job["id"] for job in client.get(f"/v1/jobs{query}").json()["data"]]

    assert ids() == [young["id"], failed["id"], archived["id"]]
    assert ids("?status=succeeded") == [archived["id"]]
    assert ids("?status=failed&kind=text-to-image") == [failed["id"]]
    assert ids("?model=nobody/knows") == []
    page = client.get("/v1/jobs?limit=2").json()
    assert client.get(f"/v1/jobs?cursor={page['next_cursor']}").json()["data"] == [archived]


def test_it_can_be_retried(
    client: httpx.Client, hand: Hand, archive: Callable[[], int], archived: Json
) -> None:
    again = client.post(f"{archived['urls']['self']}/retry")
    assert again.status_code == 202
    assert (again.json()["retry_of"], again.json()["inputs"]) == (archived["id"], archived["inputs"])


def test_a_retry_waits_for_nothing_that_has_succeeded(
    client: httpx.Client, hand: Hand, archive: Callable[[], int]
) -> None:
    first = submitted(client)
    image = {"image": {"job": first["id"]}, "prompt": "bluer"}
    second = submitted(client, {"kind": "image-to-image", "model": "test/fake", "inputs": image})
    assert second["waits_for"] == [first["id"]]
    hand.finish()
    hand.finish()
    assert archive() == 2

    again = client.post(f"{second['urls']['self']}/retry")
    assert again.status_code == 202, again.text
    assert hand.claim().id == again.json()["id"]


def test_it_can_be_an_input(client: httpx.Client, archived: Json) -> None:
    image = {"image": {"job": archived["id"]}, "prompt": "bluer"}
    job = submitted(client, {"kind": "image-to-image", "model": "test/fake", "inputs": image})
    assert job["inputs"]["image"] == {"job": archived["id"], "artifact": "0.png"}


def test_its_request_is_not_accepted_twice(
    client: httpx.Client, hand: Hand, archive: Callable[[], int]
) -> None:
    key = {"Idempotency-Key": "once"}
    job = submitted(client, text_to_image(), headers=key)
    hand.finish()
    archive()

    again = client.post("/v1/jobs", json=text_to_image(), headers=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.json()["id"], again.json()["status"]) == (job["id"], "succeeded")


def test_others_do_not_see_it(client: httpx.Client, archived: Json, key_of: Callable[[str], str]) -> None:
    headers = {"Authorization": f"Bearer {key_of('eve')}"}
    path = archived["urls"]["self"]
    for method, url in (
        ("GET", path),
        ("GET", archived["urls"]["events"]),
        ("GET", archived["artifacts"][0]["url"]),
        ("POST", archived["urls"]["cancel"]),
        ("POST", f"{path}/retry"),
        ("DELETE", path),
    ):
        problem(client.request(method, url, headers=headers), 404, "job_not_found")
    assert client.get("/v1/jobs", headers=headers).json()["data"] == []


def test_deleted_it_is_gone_for_good(
    client: httpx.Client, hand: Hand, archived: Json, records: redis.Redis
) -> None:
    assert client.delete(archived["urls"]["self"]).status_code == 204

    problem(client.get(archived["urls"]["self"]), 404, "job_not_found")
    assert client.get("/v1/jobs").json()["data"] == []
    assert [*hand.storage.list(f"local/{archived['id']}/")] == []
    assert records.keys(f"{PREFIX}*{archived['id']}*") == []
    assert not records.hexists(f"{PREFIX}archived", archived["id"])


def test_expired_it_is_gone_before_it_is_collected(
    client: httpx.Client, hand: Hand, archived: Json, records: redis.Redis
) -> None:
    records.set(f"{PREFIX}skew", 8 * 86400_000)

    problem(client.get(archived["urls"]["self"]), 404, "job_not_found")
    queue = JobQueue(records, limits=Limits(), archive=Archive(hand.storage))
    uploads = Uploads(records, expires_seconds=60, owner_bytes=1)
    assert collect(queue, uploads, hand.storage).archived.count == 1
    assert [*hand.storage.list(f"local/{archived['id']}/")] == []


def test_it_is_found_though_the_state_server_has_lost_everything(
    client: httpx.Client, archived: Json, records: redis.Redis
) -> None:
    records.flushall()

    assert client.get(archived["urls"]["self"]).json() == archived
    assert client.delete(archived["urls"]["self"]).status_code == 204
    problem(client.get(archived["urls"]["self"]), 404, "job_not_found")
