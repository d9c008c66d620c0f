"""Tests that come with code are taken where the operator has allowed code to be run, and nowhere else."""

from collections.abc import Callable

import httpx

from tests.integration.api.support import ApiServer, problem, submitted
from tests.servers import StateServer

ASKED = {"prefix": "def f():\n", "language": "python", "tests": ["f() == 1"]}
JOB = {"kind": "code", "model": "test/fake-text", "inputs": ASKED}


def test_it_is_off_at_first(client: httpx.Client) -> None:
    body = problem(client.post("/v1/jobs", json=JOB), 422, "invalid_inputs")
    assert body["errors"][0]["pointer"] == "/inputs/tests"
    assert "ATELIER_RUN_CODE" in body["detail"]
    submitted(client, {**JOB, "inputs": {**ASKED, "tests": []}})


def test_where_it_is_on_they_are_taken(
    start_api: Callable[..., ApiServer], valkey: StateServer, broker: StateServer
) -> None:
    with start_api(redis_url=valkey.url, broker_url=broker.url, run_code=True).client() as client:
        assert submitted(client, JOB)["inputs"]["tests"] == ASKED["tests"]
        other = {**JOB, "inputs": {**ASKED, "language": "cobol"}}
        body = problem(client.post("/v1/jobs", json=other), 422, "invalid_inputs")
        assert body["errors"][0]["pointer"] == "/inputs/tests"
