"""Retries, and errors as types, against a server that misbehaves as told."""

import json
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from atelier import Client, errors
from atelier.transport import RETRIES, SAFE, UNSAFE, Transport

JOB = {"id": "job_1", "kind": "text", "model": "m", "status": "queued", "version": 1}


def answer(status: int, body: Any, media_type: str = "application/json", **headers: str) -> Any:
    def send(request: BaseHTTPRequestHandler) -> None:
        data = json.dumps(body).encode()
        request.send_response(status)
        for name, value in {"Content-Type": media_type, "Content-Length": str(len(data)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(data)

    return send


def problem(status: int, slug: str, **more: Any) -> Any:
    headers = more.pop("headers", {})
    body = {"type": f"urn:atelier:error:{slug}", "title": slug, "detail": "why", "status": status, **more}
    return answer(status, body, "application/problem+json", **headers)


def hang_up(request: BaseHTTPRequestHandler) -> None:
    """The request was read; the answer is lost."""
    request.close_connection = True


def test_a_server_that_is_full_for_a_moment_is_asked_again(server):
    server.answers = [problem(503, "unavailable", headers={"Retry_After": "0"}), answer(202, JOB)]

    with Client(server.url, "") as client:
        job = client.submit("text", {"prompt": "x"})

    assert job.id == "job_1"
    assert len(server.seen) == 2


def test_all_tries_of_one_submission_carry_one_idempotency_key(server):
    server.answers = [hang_up, hang_up, answer(202, JOB)]

    with Client(server.url, "") as client:
        client.submit("text", {"prompt": "x"})

    keys = [each.headers["Idempotency-Key"] for each in server.seen]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert {each.body for each in server.seen} == {server.seen[0].body}


def test_two_submissions_have_two_keys(server):
    server.answers = [answer(202, JOB)]

    with Client(server.url, "") as client:
        client.submit("text", {"prompt": "x"})
        client.submit("text", {"prompt": "x"})

    assert server.seen[0].headers["Idempotency-Key"] != server.seen[1].headers["Idempotency-Key"]


def test_retries_end(server):
    server.answers = [problem(503, "unavailable", headers={"Retry_After": "0"})]

    with Client(server.url, "") as client, pytest.raises(errors.Unavailable) as caught:
        client.get("job_1")

    assert len(server.seen) == RETRIES + 1
    assert caught.value.retry_after == 0


def test_a_server_that_asks_for_much_patience_is_told_to_the_caller_at_once(server):
    server.answers = [problem(429, "owner_limit", headers={"Retry_After": "60"})]

    with Client(server.url, "") as client, pytest.raises(errors.LimitReached) as caught:
        client.submit("text", {"prompt": "x"})

    assert len(server.seen) == 1
    assert caught.value.retry_after == 60


def test_a_write_that_the_server_does_not_know_again_is_not_repeated_when_its_answer_is_lost(server):
    server.answers = [hang_up, answer(202, JOB)]

    with Client(server.url, "") as client, pytest.raises(errors.Unreachable):
        client.retry("job_1")

    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("status", "slug", "times"),
    [
        (503, "state_unavailable", 1),
        (503, "overloaded", 1),
        (503, "system_full", 2),
        (429, "rate_limited", 2),
    ],
)
def test_such_a_write_is_repeated_only_where_nothing_can_have_been_done(server, status, slug, times):
    server.answers = [problem(status, slug, headers={"Retry_After": "0"}), answer(202, JOB)]

    with Client(server.url, "") as client, suppress(errors.Unavailable):
        client.retry("job_1")

    assert len(server.seen) == times


def test_a_wait_keeps_its_time_though_the_server_is_away(unused_port):
    began = time.monotonic()

    with Client(f"http://127.0.0.1:{unused_port}", "") as client, pytest.raises(errors.Unreachable):
        client.wait("job_1", timeout=0.2)

    assert time.monotonic() - began < 20  # not the minute that it is patient for otherwise


@pytest.mark.parametrize("repeat", [SAFE, UNSAFE])
def test_nobody_listening_is_unreachable_soon(repeat, unused_port):
    transport = Transport(f"http://127.0.0.1:{unused_port}", "")

    with pytest.raises(errors.Unreachable, match=str(unused_port)):
        transport.call("POST", "/v1/jobs", repeat)
    transport.close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidInputs),
        (401, errors.Unauthorized),
        (403, errors.Unauthorized),
        (404, errors.NotFound),
        (410, errors.Gone),
        (413, errors.InvalidInputs),
        (415, errors.InvalidInputs),
        (418, errors.Refused),
        (422, errors.InvalidInputs),
        (500, errors.Refused),
        (507, errors.StorageFull),
    ],
)
def test_each_status_is_an_error_of_its_own(server, status, kind):
    server.answers = [problem(status, "some_slug")]

    with Client(server.url, "") as client, pytest.raises(errors.Refused) as caught:
        client.get("job_1")

    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.slug) == (status, "some_slug")
    assert str(caught.value) == "some_slug: why"


def test_what_is_not_ready_can_be_read_from_the_error(server):
    server.answers = [answer(503, {"checks": {"state": "away"}}, Retry_After="60")]

    with Client(server.url, "") as client, pytest.raises(errors.Unavailable) as caught:
        client.ready()

    assert caught.value.body == {"checks": {"state": "away"}}


def test_problems_have_pointers(server):
    server.answers = [
        problem(422, "invalid_inputs", errors=[{"pointer": "/inputs/steps", "detail": "too many"}])
    ]

    with Client(server.url, "") as client, pytest.raises(errors.InvalidInputs) as caught:
        client.submit("text", {})

    assert caught.value.problems == (errors.InputProblem("/inputs/steps", "too many"),)


@pytest.mark.parametrize("body", [[], {"id": 1}, {"hello": "world"}])
def test_a_stranger_on_the_port_is_recognised(server, body):
    server.answers = [answer(200, body)]

    with Client(server.url, "") as client, pytest.raises(errors.BadAnswer):
        client.get("job_1")


def test_the_key_is_sent(server):
    server.answers = [answer(200, JOB)]

    with Client(server.url, "atl_a_b") as client:
        client.get("job_1")

    assert server.seen[0].headers["Authorization"] == "Bearer atl_a_b"


def test_ids_cannot_lead_to_other_paths(server):
    server.answers = [answer(200, JOB)]

    with Client(server.url, "") as client:
        client.get("../keys?x=1")

    assert server.seen[0].path == "/v1/jobs/..%2Fkeys%3Fx%3D1"


@pytest.mark.parametrize("key", ["atl_key\nKeep it", "atl_key ", "atl_schlüssel"])
def test_a_key_that_no_header_may_hold_is_refused_and_not_shown(key):
    with pytest.raises(errors.Unauthorized) as refused:
        Client("http://127.0.0.1:1", key)
    assert "atl_" not in str(refused.value)
