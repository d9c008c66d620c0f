"""An owner's weight, limits and rate over HTTP, and what a queued job is told of its start."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from atelier import Client
from tests.integration.api.support import ApiServer, Hand, Json, problem, submitted, text_to_image

OWNER = "/v1/admin/owners/local"
SLOW = {"rate": 0.01, "burst": 3}


def chain(count: int) -> list[Json]:
    return [{"ref": str(number), **text_to_image()} for number in range(count)]


def changed(client: httpx.Client, **changes: Any) -> Json:
    answer = client.post(OWNER, json=changes)
    answer.raise_for_status()
    found: Json = answer.json()
    return found


def counted(client: httpx.Client, reason: str) -> float:
    name = f'atelier_limit_refusals_total{{reason="{reason}"}} '
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


@pytest.fixture(autouse=True)
def nothing_stays_changed(client: httpx.Client) -> Iterator[None]:
    yield
    names = ("weight", "max_queued", "max_running", "rate", "burst")
    assert client.post(OWNER, json=dict.fromkeys(names)).json()["own"] == []


# Operators


def test_settings_are_shown_changed_and_taken_back(client: httpx.Client) -> None:
    everybodys = {"weight": 1, "max_queued": 200, "max_running": 0, "rate": 0, "burst": 50}
    unused = {"owner": "local", "queued": 0, "running": 0}
    assert client.get(OWNER).json() == {**unused, **everybodys, "own": []}
    assert client.get("/v1/admin/owners").json() == {"object": "list", "data": []}

    mine = changed(client, weight=2.5, max_queued=7)
    assert mine == {**unused, **everybodys, "weight": 2.5, "max_queued": 7, "own": ["weight", "max_queued"]}
    assert client.get(OWNER).json() == mine
    assert client.get("/v1/admin/owners").json()["data"] == [mine]

    submitted(client)
    assert changed(client, weight=None)["own"] == ["max_queued"]
    assert client.get(OWNER).json()["queued"] == 1


def test_an_owner_without_key_or_job_can_be_given_settings(client: httpx.Client) -> None:
    answer = client.post("/v1/admin/owners/somebody-new", json={"weight": 3})
    assert answer.json()["weight"] == 3
    assert client.post("/v1/admin/owners/somebody-new", json={"weight": None}).json()["own"] == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"weight": 0}, "/weight"),
        ({"weight": "2"}, "/weight"),
        ({"max_queued": 0}, "/max_queued"),
        ({"max_running": -1}, "/max_running"),
        ({"rate": -0.1}, "/rate"),
        ({"burst": 1.5}, "/burst"),
        ({"wait": 1}, "/wait"),
    ],
)
def test_settings_that_cannot_be_are_refused(client: httpx.Client, changes: Json, pointer: str) -> None:
    found = problem(client.post(OWNER, json=changes), 422, "invalid_request")
    assert found["errors"][0]["pointer"] == pointer


def test_a_name_that_nobody_can_have(client: httpx.Client) -> None:
    problem(client.get("/v1/admin/owners/A%20B"), 404, "not_found")
    problem(client.post("/v1/admin/owners/A%20B", json={"weight": 2}), 404, "not_found")


# Limits


def test_the_limit_of_an_owner_is_told(client: httpx.Client) -> None:
    before = counted(client, "owner_limit")
    changed(client, max_queued=2)
    client.post("/v1/jobs", json=chain(2)).raise_for_status()

    answer = client.post("/v1/jobs", json=text_to_image())
    assert problem(answer, 429, "owner_limit")["detail"] == "You have 2 jobs queued, of 2 that you may have."
    assert int(answer.headers["retry-after"]) > 0
    assert counted(client, "owner_limit") == before + 1


def test_who_is_too_fast_is_told_when_to_come_again(client: httpx.Client) -> None:
    before = counted(client, "rate_limited")
    changed(client, **SLOW)
    client.post("/v1/jobs", json=chain(2)).raise_for_status()

    answer = client.post("/v1/jobs", json=chain(3))
    wait = answer.headers["retry-after"]
    assert f"{wait} s" in problem(answer, 429, "rate_limited")["detail"]
    assert 195 <= int(wait) <= 200
    client.post("/v1/jobs", json=text_to_image()).raise_for_status()
    assert counted(client, "rate_limited") == before + 1


def test_a_list_that_is_too_long_for_the_owner_is_no_matter_of_time(client: httpx.Client) -> None:
    changed(client, **SLOW)

    answer = client.post("/v1/jobs", json=chain(4))
    assert "3 jobs at once" in problem(answer, 422, "too_many_at_once")["detail"]
    assert "retry-after" not in answer.headers
    client.post("/v1/jobs", json=chain(3)).raise_for_status()


def test_a_repeated_request_is_not_counted(client: httpx.Client) -> None:
    changed(client, **SLOW)
    key = {"Idempotency-Key": "again"}
    first = client.post("/v1/jobs", json=chain(3), headers=key)

    again = client.post("/v1/jobs", json=chain(3), headers=key)
    assert again.headers["idempotency-replayed"] == "true"
    assert [job["id"] for job in again.json()["data"]] == [job["id"] for job in first.json()["data"]]
    problem(client.post("/v1/jobs", json=text_to_image()), 429, "rate_limited")


def test_the_client_waits_as_long_as_it_is_told(api: ApiServer, client: httpx.Client) -> None:
    changed(client, rate=1, burst=1)
    with Client(api.url, "") as ours:
        began = time.monotonic()
        jobs = [ours.submit("text-to-image", {"prompt": "a tree"}, model="test/fake") for _ in range(3)]
        took = time.monotonic() - began

    assert len({job.id for job in jobs}) == 3
    assert took >= 1.9, "three tokens, of which one was there"


# The start


def test_the_start_is_estimated_once_something_was_measured(client: httpx.Client, hand: Hand) -> None:
    # Given one job in line, and nothing measured
    running, waiting = submitted(client), submitted(client)
    assert "estimated_start_seconds" not in client.get(waiting["urls"]["self"]).json()["queue"]
    hand.finish()

    # Then, once a job has ended, the next one is told when it may start
    shown = client.get(waiting["urls"]["self"])
    assert shown.json()["queue"]["estimated_start_seconds"] >= 0
    queue = next(each for each in client.get("/v1/queues").json()["data"] if each["name"] == "image")
    assert queue["jobs_per_second"] > 0
    assert queue["seconds_per_job"] > 0

    # And neither the version nor the tag has changed by that
    assert shown.headers["etag"] == f'"{waiting["version"]}"'
    again = client.get(waiting["urls"]["self"], headers={"If-None-Match": shown.headers["etag"]})
    assert again.status_code == 304
    assert "queue" not in client.get(running["urls"]["self"]).json()


def test_a_paused_queue_promises_nothing(client: httpx.Client, hand: Hand) -> None:
    submitted(client)
    hand.finish()
    waiting = submitted(client)
    client.post("/v1/admin/pause", json={"queue": "image"}).raise_for_status()
    assert client.get(waiting["urls"]["self"]).json()["queue"] == {
        "position": 1,
        "paused": True,
        "front": False,
    }

    client.post("/v1/admin/resume", json={"queue": "image"}).raise_for_status()
    assert "estimated_start_seconds" in client.get(waiting["urls"]["self"]).json()["queue"]
