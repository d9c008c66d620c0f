"""Requests that are odd as HTTP: methods, paths, lines and headers that are too long, bodies that trickle.

What is odd in a body's JSON or in a value is in tests/bad_inputs.
"""

# ruff: noqa: E501 - tables of cases

import socket
import time

import httpx
import pytest

from tests.bad_inputs.bench import parse_answer
from tests.integration.api.support import ApiServer, problem

LOCAL = b"Host: localhost\r\n"


def raw_answer(api: ApiServer, request: bytes) -> httpx.Response:
    """The answer to bytes that no client library would send."""
    with socket.create_connection(("127.0.0.1", api.settings.port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return parse_answer(b"".join(iter(lambda: connection.recv(65_536), b"")))


@pytest.mark.parametrize(("method", "path", "allowed"), [
    ("PUT", "/v1/jobs", {"GET", "HEAD", "POST"}),
    ("PATCH", "/v1/jobs/job_" + "0" * 24, {"DELETE", "GET", "HEAD"}),
    ("OPTIONS", "/v1/jobs", {"GET", "HEAD", "POST"}),
    ("GET", "/v1/jobs/cancel", {"POST"}),
    ("DELETE", "/v1/jobs/retry", {"POST"}),
    ("DELETE", "/v1/models", {"GET", "HEAD"}),
    ("POST", "/livez", {"GET", "HEAD"}),
    ("BREW", "/v1/kinds", {"GET", "HEAD"}),
])  # fmt: skip
def test_a_method_that_is_not_taken(client: httpx.Client, method: str, path: str, allowed: set[str]) -> None:
    answer = client.request(method, path)
    problem(answer, 405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v1/jobs/", "//v1/jobs", "/v2/jobs", "/V1/jobs", "/v1/jobs/a/b/c", "/%00", "/v1/nonsense?x=1", "/.env"])  # fmt: skip
def test_a_path_that_is_not_there(client: httpx.Client, path: str) -> None:
    problem(client.get(path), 404, "not_found")


@pytest.mark.parametrize(("request_bytes", "status", "slug"), [
    (b"hello\r\n\r\n", 400, "malformed_request"),
    (b"GET /livez HTTP/9.9\r\n" + LOCAL + b"\r\n", 400, "malformed_request"),
    (b"GET /livez HTTP/1.1\r\nno header\r\n\r\n", 400, "malformed_request"),
    (b"GET /livez HTTP/1.1\r\n" + LOCAL + b"A b: c\r\n\r\n", 400, "malformed_request"),
    (b"POST /v1/jobs HTTP/1.1\r\n" + LOCAL + b"Transfer-Encoding: rot13\r\n\r\n", 400, "malformed_request"),
    (b"POST /v1/jobs HTTP/1.1\r\n" + LOCAL + b"Content-Length: -1\r\n\r\n", 400, "malformed_request"),
    (b"POST /v1/jobs HTTP/1.1\r\n" + LOCAL + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "malformed_request"),
    (b"POST /v1/jobs HTTP/1.1\r\n" + LOCAL + b"Expect: miracles\r\n\r\n", 400, "malformed_request"),
    (b"GET /livez?" + b"x" * 9000 + b" HTTP/1.1\r\n" + LOCAL + b"\r\n", 414, "uri_too_long"),
    (b"GET /livez HTTP/1.1\r\n" + LOCAL + b"A: " + b"x" * 9000 + b"\r\n\r\n", 431, "headers_too_large"),
    (b"GET /livez HTTP/1.1\r\n" + LOCAL + b"A: b\r\n" * 200 + b"\r\n", 431, "headers_too_large"),
])  # fmt: skip
def test_no_good_http(api: ApiServer, request_bytes: bytes, status: int, slug: str) -> None:
    problem(raw_answer(api, request_bytes), status, slug)


def test_the_longest_filters_fit(client: httpx.Client) -> None:
    longest = dict.fromkeys(("kind", "model"), "🐉" * 160)
    assert client.get("/v1/jobs", params=longest).json()["data"] == []


@pytest.mark.slow
def test_a_body_that_trickles_is_ended(api: ApiServer, client: httpx.Client) -> None:
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", api.settings.port), timeout=40) as raw:
        raw.sendall(
            b"POST /v1/jobs HTTP/1.1\r\n"
            + LOCAL
            + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        )
        raw.settimeout(0.5)
        answer = b""
        while not answer and time.monotonic() - begun < 40:
            try:
                answer = raw.recv(4096)
            except TimeoutError:
                raw.sendall(b" ")
                assert client.get("/livez").elapsed.total_seconds() < 0.5
    assert b" 408 " in answer
    assert b"request_timeout" in answer
    assert 15 < time.monotonic() - begun < 30


def test_the_document_is_served(client: httpx.Client) -> None:
    """tests/fuzz makes requests out of it."""
    body = client.get("/openapi.json").json()
    assert body["openapi"].startswith("3.1")
    assert "/v1/jobs" in body["paths"]
