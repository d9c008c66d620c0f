"""Services that are down or hung: every call answers 503 within three seconds, and recovers by itself."""

# ruff: noqa: E501 - tables of cases

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.storage import open_storage
from tests.integration.api.support import ApiServer, Hand, png, problem, submitted, text_to_image
from tests.servers import FORGETFUL, S3Server, StateServer, quickest, wait_for

ANSWER_SECONDS = 3.0  # what the API promises
JOB = "/v1/jobs/job_" + "0" * 24
STATE_CALLS: list[tuple[str, str, Any]] = [
    ("POST", "/v1/jobs", {"json": text_to_image()}), ("GET", "/v1/jobs", {}), ("GET", JOB, {}), ("DELETE", JOB, {}),
    ("POST", f"{JOB}/cancel", {}), ("POST", f"{JOB}/retry", {}), ("POST", "/v1/jobs/cancel", {}),
    ("POST", "/v1/jobs/retry", {}), ("GET", f"{JOB}/events", {}), ("GET", f"{JOB}/artifacts/0.png", {}),
    ("POST", "/v1/uploads", {"content": png()}), ("GET", "/v1/models", {}), ("GET", "/v1/kinds", {}),
    ("GET", "/v1/queues", {}), ("GET", "/v1/workers", {}),
    ("GET", JOB, {"headers": {"Prefer": "wait=10"}}),
    ("GET", "/v1/jobs", {"headers": {"Authorization": "Bearer atl_0123456789abcdef_" + "x" * 43}}),
]  # fmt: skip


@pytest.fixture
def own_state(start_server: Callable[..., StateServer]) -> StateServer:
    return start_server()


@pytest.fixture
def own_broker(start_server: Callable[..., StateServer]) -> StateServer:
    return start_server(options=FORGETFUL)


@pytest.fixture
def server(start_api: Callable[..., ApiServer], own_state: StateServer, own_broker: StateServer) -> ApiServer:
    return start_api(redis_url=own_state.url, broker_url=own_broker.url)


@pytest.fixture
def calls(server: ApiServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def timed(client: httpx.Client, method: str, path: str, **options: Any) -> tuple[httpx.Response, float]:
    begun = time.monotonic()
    answer = client.request(method, path, **options)
    return answer, time.monotonic() - begun


def in_time(
    client: httpx.Client, method: str, path: str, bound: float = ANSWER_SECONDS, **options: Any
) -> httpx.Response:
    """The first answer. It may be late where one that is asked for again comes in time."""
    answers = []

    def seconds() -> float:
        answer, took = timed(client, method, path, **options)
        answers.append(answer)
        return took

    assert quickest(seconds, bound) < bound, f"{method} {path}"
    return answers[0]


@pytest.mark.parametrize("how", ["killed", "hung"])
def test_without_the_state_server(calls: httpx.Client, own_state: StateServer, how: str) -> None:
    if how == "killed":
        own_state.kill()
    else:
        own_state.freeze()
    with ThreadPoolExecutor(len(STATE_CALLS)) as pool:
        asked = [
            pool.submit(in_time, calls, method, path, **options) for method, path, options in STATE_CALLS
        ]
    for done in asked:
        answer = done.result()
        problem(answer, 503, "state_unavailable")
        assert int(answer.headers["retry-after"]) > 0
    ready = in_time(calls, "GET", "/readyz")
    assert ready.status_code == 503
    assert ready.json()["checks"]["storage"] == "ok"
    assert calls.get("/livez").status_code == 200
    assert calls.get("/metrics").status_code == 200

    if how == "killed":
        own_state.start()
    else:
        own_state.thaw()
    wait_for(lambda: calls.get("/readyz").status_code == 200, what="readiness")
    assert calls.get("/v1/jobs").json()["data"] == [], "what was refused was not done"
    submitted(calls)


def test_a_process_that_is_replaced_meanwhile_serves_too(
    server: ApiServer, calls: httpx.Client, own_state: StateServer
) -> None:
    own_state.kill()
    (served,) = server.serving()
    served.kill()
    wait_for(lambda: server.serving() not in ([], [served]), 20, "another process")
    problem(calls.get(JOB), 503, "state_unavailable")
    own_state.start()
    wait_for(lambda: calls.get("/readyz").status_code == 200, 20, "the API")
    submitted(calls)


def test_a_hung_state_server_holds_up_nobody_else(server: ApiServer, own_state: StateServer) -> None:
    """Many calls at once to a hung server: each still ends in time, though they share few connections."""
    with server.client(limits=httpx.Limits(max_connections=150)) as client, ThreadPoolExecutor(100) as pool:
        client.get("/v1/jobs").raise_for_status()
        own_state.freeze()

        def slowest() -> float:
            asked = [pool.submit(timed, client, "GET", "/v1/jobs") for _ in range(100)]
            answers = [each.result(30) for each in asked]
            assert {answer.status_code for answer, _ in answers} == {503}
            return max(seconds for _, seconds in answers)

        with_turns = ANSWER_SECONDS + 1  # this crowd's own threads take turns
        assert quickest(slowest, with_turns) < with_turns
        own_state.thaw()


@pytest.mark.parametrize("how", ["killed", "hung"])
def test_a_submission_needs_no_broker(
    calls: httpx.Client, server: ApiServer, own_broker: StateServer, own_state: StateServer, how: str
) -> None:
    hand = Hand(JobQueue(own_state.client(), limits=Limits()), open_storage(server.settings))
    assert hand.queue.claim(hand.card, "a" * 32) is None, "an idle worker, so that a submission rings"
    if how == "killed":
        own_broker.kill()
    else:
        own_broker.freeze()
    answer = in_time(calls, "POST", "/v1/jobs", json=text_to_image())
    assert answer.status_code == 202
    assert in_time(calls, "GET", answer.json()["urls"]["self"]).status_code == 200
    hand.claim()
    assert in_time(calls, "GET", answer.json()["urls"]["self"]).json()["status"] == "running"
    ready = calls.get("/readyz")
    assert ready.status_code == 200, "jobs run without it"
    assert ready.json()["checks"]["broker"] != "ok"
    if how == "hung":
        own_broker.thaw()


@pytest.mark.parametrize("how", ["killed", "hung"])
def test_without_the_storage(
    start_api: Callable[..., ApiServer],
    valkey: StateServer,
    broker: StateServer,
    own_rclone: S3Server,
    how: str,
) -> None:
    server = start_api(redis_url=valkey.url, broker_url=broker.url, storage_url=own_rclone.url())
    hand = Hand(JobQueue(valkey.client(), limits=Limits()), open_storage(server.settings))
    with server.client() as client:
        job = submitted(client)
        hand.finish()
        own_rclone.stop() if how == "killed" else own_rclone.freeze()
        answer = in_time(client, "GET", f"{job['urls']['self']}/artifacts/0.png")
        problem(answer, 503, "storage_unavailable")
        after_its_check = ANSWER_SECONDS + 1
        answer = in_time(client, "POST", "/v1/uploads", after_its_check, content=png())
        problem(answer, 503, "storage_unavailable")
        assert in_time(client, "GET", "/readyz").status_code == 503
        gone = in_time(client, "DELETE", job["urls"]["self"])
        assert gone.status_code == 204, "hidden at once, removed later"
        submitted(client)
        assert valkey.client().hget("atl:{g0}:uploads:bytes", "local") in (None, "0"), (
            "a failed upload costs nothing"
        )


def test_a_state_server_without_memory(
    start_api: Callable[..., ApiServer], start_server: Callable[..., StateServer], broker: StateServer
) -> None:
    state = start_server()
    server = start_api(redis_url=state.url, broker_url=broker.url)
    with server.client() as client:
        state.client().config_set("maxmemory", "1mb")
        answer = client.post("/v1/jobs", json=text_to_image())
        problem(answer, 503, "state_unavailable")
        state.client().config_set("maxmemory", "0")
        submitted(client)
