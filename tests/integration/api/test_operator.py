"""Operators' calls, over HTTP: who may make them, and what they do to everybody's jobs."""

from collections.abc import Callable, Iterator

import httpx
import pytest
import redis

from api.routes import ROUTES
from infra.jobs.queue import JobQueue
from infra.keys import Keys, Scope
from tests.integration.api.support import (
    ApiServer,
    Hand,
    Json,
    png,
    problem,
    submitted,
    text_to_image,
)

ADMIN_ROUTES = [route for route in ROUTES if route.auth == "admin"]


@pytest.fixture
def operator(api: ApiServer, records: redis.Redis) -> Iterator[httpx.Client]:
    """A client with a key that has the admin scope."""
    with api.client(Keys(records).create("op", "ops", [Scope.ADMIN])[1]) as client:
        yield client


@pytest.fixture
def ann(api: ApiServer, key_of: Callable[[str], str], operator: httpx.Client) -> Iterator[httpx.Client]:
    with api.client(key_of("ann")) as client:
        yield client


@pytest.fixture
def bob(api: ApiServer, key_of: Callable[[str], str], operator: httpx.Client) -> Iterator[httpx.Client]:
    with api.client(key_of("bob")) as client:
        yield client


def shown(client: httpx.Client, job: Json) -> Json:
    found: Json = client.get(f"/v1/jobs/{job['id']}").json()
    return found


def of_queue(client: httpx.Client, name: str) -> Json:
    return next(each for each in client.get("/v1/queues").json()["data"] if each["name"] == name)


# Who may


@pytest.mark.parametrize("route", ADMIN_ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_key_without_the_scope_is_refused(ann: httpx.Client, route: object) -> None:
    path = route.path.replace("{job_id}", "job_" + "0" * 24)  # type: ignore[attr-defined]
    body = None if route.method == "GET" else {}  # type: ignore[attr-defined]
    found = problem(ann.request(route.method, path, json=body), 403, "forbidden")  # type: ignore[attr-defined]
    assert "scope `admin`" in found["detail"]


def test_nobody_is_refused_before_they_are_known(api: ApiServer, operator: httpx.Client) -> None:
    with api.client() as stranger:
        problem(stranger.get("/v1/admin/pauses"), 401, "unauthorized")


def test_without_keys_this_machine_is_the_operator(client: httpx.Client) -> None:
    assert client.get("/v1/admin/pauses").json() == {"object": "list", "data": []}


# Pause and resume


def test_a_queue_is_paused_and_resumed(operator: httpx.Client, ann: httpx.Client, hand: Hand) -> None:
    done = operator.post("/v1/admin/pause", json={"queue": "image", "reason": "a fan is broken"}).json()
    assert (done["what"], done["name"], done["by"]) == ("queue", "image", "op")
    job = submitted(ann)

    assert job["queue"] == {"paused": True, "front": False}
    assert ann.get("/v1/jobs").json()["data"][0]["queue"] == {"paused": True, "front": False}
    assert of_queue(ann, "image")["paused"]
    assert hand.queue.claim(hand.card, "a" * 32) is None
    assert operator.get("/v1/admin/pauses").json()["data"] == [done]

    for resumed in (True, False):
        answer = operator.post("/v1/admin/resume", json={"queue": "image"}).json()
        assert answer == {"what": "queue", "name": "image", "resumed": resumed}
    assert shown(ann, job)["queue"]["paused"] is False
    assert hand.finish().id == job["id"]


def test_a_model_is_paused(operator: httpx.Client, ann: httpx.Client, hand: Hand) -> None:
    operator.post("/v1/admin/pause", json={"model": "test/fake"})
    held, other = submitted(ann), submitted(ann, text_to_image() | {"model": "test/fake-other"})

    models = {each["id"]: each["paused"] for each in ann.get("/v1/models").json()["data"]}
    assert (models["test/fake"], models["test/fake-other"]) == (True, False)
    assert (shown(ann, held)["queue"]["paused"], shown(ann, other)["queue"]["paused"]) == (True, False)
    assert hand.finish().id == other["id"]


def test_a_worker_is_drained_and_resumed(operator: httpx.Client, ann: httpx.Client, hand: Hand) -> None:
    first = submitted(ann)
    running = hand.claim()
    operator.post("/v1/admin/pause", json={"worker": "hand"})
    submitted(ann)
    (worker,) = ann.get("/v1/workers").json()["data"]

    assert (worker["paused"], worker["running"], worker["idle"]) == (True, 1, False)
    hand.commit(running)
    assert shown(ann, first)["status"] == "succeeded"
    operator.post("/v1/admin/resume", json={"worker": "hand"})
    hand.finish()


@pytest.mark.parametrize("body", [{"queue": "imgae"}, {"model": "test/none"}, {"worker": "nobody"}])
def test_what_is_not_there_cannot_be_paused(operator: httpx.Client, body: Json) -> None:
    problem(operator.post("/v1/admin/pause", json=body), 404, "nothing_to_pause")


@pytest.mark.parametrize(
    "body", [{}, {"queue": "image", "model": "test/fake"}, {"queue": ""}, {"queue": 1}, {"line": "image"}, []]
)
def test_a_pause_names_one_thing(operator: httpx.Client, body: object) -> None:
    for call in ("pause", "resume"):
        problem(operator.post(f"/v1/admin/{call}", json=body), 422, "invalid_request")


def test_metrics_count_what_is_paused(operator: httpx.Client) -> None:
    for body in ({"queue": "image"}, {"queue": "text"}, {"model": "test/fake"}):
        operator.post("/v1/admin/pause", json=body)
    lines = operator.get("/metrics").text.splitlines()

    assert 'atelier_paused{what="queue"} 2.0' in lines
    assert 'atelier_paused{what="model"} 1.0' in lines
    assert 'atelier_paused{what="worker"} 0.0' in lines


def test_who_did_what_is_logged(api: ApiServer, operator: httpx.Client) -> None:
    operator.post("/v1/admin/pause", json={"queue": "text", "reason": "for the log"})
    line = next(line for line in api.log.splitlines() if "for the log" in line)

    assert '"action": "operator.paused"' in line
    assert '"by": "op"' in line
    assert '"key_id"' in line


# Jobs of all owners


def test_a_job_is_raised_to_the_front(
    operator: httpx.Client, ann: httpx.Client, bob: httpx.Client, hand: Hand
) -> None:
    for _ in range(2):
        submitted(ann, text_to_image() | {"priority": "high"})
    last = submitted(bob, text_to_image() | {"priority": "low"})
    raised = operator.post(f"/v1/admin/jobs/{last['id']}/front").json()

    assert (raised["owner"], raised["front"]) == ("bob", True)
    assert shown(bob, last)["queue"] == {"position": 1, "paused": False, "front": True}
    assert hand.claim().id == last["id"]
    problem(operator.post(f"/v1/admin/jobs/job_{'0' * 24}/front"), 404, "job_not_found")


def test_operators_see_whose_jobs_there_are_but_not_what_they_are_about(
    operator: httpx.Client, ann: httpx.Client, bob: httpx.Client, hand: Hand
) -> None:
    first = submitted(ann, text_to_image("a secret birthday card"))
    hand.fail()
    second = submitted(bob)
    answer = operator.get("/v1/admin/jobs")

    assert [(job["id"], job["owner"], job["status"]) for job in answer.json()["data"]] == [
        (second["id"], "bob", "queued"),
        (first["id"], "ann", "failed"),
    ]
    assert "birthday" not in answer.text
    assert answer.json()["data"][1]["error"]["type"] == "engine_error"
    for query, found in [
        ({"owner": "ann"}, [first]),
        ({"status": "queued"}, [second]),
        ({"queue": "image", "kind": "text-to-image", "model": "test/fake"}, [second, first]),
        ({"queue": "text"}, []),
        ({"owner": "nobody"}, []),
    ]:
        jobs = operator.get("/v1/admin/jobs", params=query).json()["data"]
        assert [job["id"] for job in jobs] == [job["id"] for job in found]
    page = operator.get("/v1/admin/jobs", params={"limit": 1}).json()
    rest = operator.get("/v1/admin/jobs", params={"limit": 1, "cursor": page["next_cursor"]}).json()
    assert [page["data"][0]["id"], rest["data"][0]["id"]] == [second["id"], first["id"]]


def test_jobs_of_all_owners_are_cancelled_and_retried(
    operator: httpx.Client, ann: httpx.Client, bob: httpx.Client, queue: JobQueue
) -> None:
    jobs = [submitted(client) for client in (ann, bob, ann)]

    one = operator.post("/v1/admin/jobs/cancel", params={"owner": "bob"}).json()
    assert one == {"count": 1, "next_cursor": None}
    assert operator.post("/v1/admin/jobs/cancel").json()["count"] == 2
    assert operator.post("/v1/admin/jobs/retry", params={"owner": "ann"}).json()["count"] == 2
    assert operator.post("/v1/admin/jobs/retry").json() == {"count": 1, "next_cursor": None}
    assert queue.owner_usage("ann").queued == 2
    assert {shown(ann, job)["status"] for job in jobs[::2]} == {"cancelled"}


@pytest.mark.parametrize("query", ["cursor=x", "cursor=ann:", "status=done", "limit=5", "owner=" + "a" * 161])
def test_a_query_that_cannot_be_meant_is_refused(operator: httpx.Client, query: str) -> None:
    problem(operator.post(f"/v1/admin/jobs/cancel?{query}"), 422, "invalid_request")
    problem(operator.post(f"/v1/admin/jobs/retry?{query}"), 422, "invalid_request")


def test_retrying_many_keeps_their_uploads(client: httpx.Client, records: redis.Redis) -> None:
    upload = client.post("/v1/uploads", content=png()).json()["id"]
    body = {
        "kind": "image-to-image",
        "model": "test/fake",
        "inputs": {"prompt": "x", "image": {"upload": upload}},
    }
    old = submitted(client, body)
    client.post(f"/v1/jobs/{old['id']}/cancel")

    assert client.post("/v1/jobs/retry").json() == {"count": 1, "next_cursor": None}
    (new,) = client.get("/v1/jobs", params={"status": "queued"}).json()["data"]
    assert new["retry_of"] == old["id"]
    assert records.smembers(f"atl:{{g0}}:upload:{upload}:jobs") == {old["id"], new["id"]}


def test_a_job_whose_upload_is_gone_is_left_out(client: httpx.Client, records: redis.Redis) -> None:
    upload = client.post("/v1/uploads", content=png()).json()["id"]
    body = {
        "kind": "image-to-image",
        "model": "test/fake",
        "inputs": {"prompt": "x", "image": {"upload": upload}},
    }
    for each in (body, text_to_image()):
        client.post(f"/v1/jobs/{submitted(client, each)['id']}/cancel")
    records.delete(f"atl:{{g0}}:upload:{upload}")

    assert client.post("/v1/jobs/retry").json() == {"count": 1, "next_cursor": None}
