"""Requests that must be refused: each with its status, its pointer, and nothing enqueued."""

# ruff: noqa: E501 - tables of cases

import gzip
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.api.support import ApiServer, problem, text_to_image

JSON = {"Content-Type": "application/json"}
GOOD = json.dumps(text_to_image()).encode()


@pytest.fixture(autouse=True)
def nothing_enqueued(client: httpx.Client) -> Iterator[None]:
    """After every test of this file."""
    yield
    assert client.get("/v1/jobs").json()["data"] == []


def with_inputs(**inputs: Any) -> Any:
    return text_to_image(**inputs)


def text(**inputs: Any) -> Any:
    return {"kind": "text", "model": "test/fake-text", "inputs": {"prompt": "x", **inputs}}


# The body as bytes


@pytest.mark.parametrize("body", [
    pytest.param(b"", id="empty"),
    pytest.param(b" \n\t ", id="white space"),
    pytest.param(b"hello", id="not JSON"),
    pytest.param(b"{'kind': 'text'}", id="single quotes"),
    pytest.param(GOOD + b"}", id="something after it"),
    pytest.param(GOOD[:-1], id="cut"),
    pytest.param(b"[" * 10_000 + b"]" * 10_000, id="nesting of 10,000"),
    pytest.param(b'{"kind":' * 10_000 + b"1" + b"}" * 10_000, id="objects nested 10,000 times"),
    pytest.param(GOOD.replace(b'"kind"', b'"kind": "text", "kind"'), id="a name twice"),
    pytest.param(json.dumps(with_inputs(guidance=float("nan"))).encode(), id="NaN"),
    pytest.param(json.dumps(with_inputs(guidance=float("inf"))).encode(), id="Infinity"),
    pytest.param(json.dumps(with_inputs(guidance=-float("inf"))).encode(), id="-Infinity"),
    pytest.param(GOOD.replace(b'"prompt"', b'"guidance": 1e400, "prompt"'), id="1e400"),
    pytest.param(json.dumps(with_inputs(seed=2**63)).encode(), id="2^63"),
    pytest.param(GOOD.replace(b'"prompt"', b'"seed": ' + b"9" * 5000 + b', "prompt"'), id="5,000 digits"),
    pytest.param(json.dumps(text_to_image("\ud800")).encode(), id="half a surrogate pair"),
    pytest.param(json.dumps(text_to_image("a\0b")).encode(), id="an escaped NUL"),
    pytest.param(json.dumps(text_to_image("ab")).encode().replace(b"ab", b"a\0b"), id="a NUL"),
    pytest.param(b"\xef\xbb\xbf" + GOOD, id="a byte order mark"),
    pytest.param(json.dumps(text_to_image()).encode("utf-16"), id="UTF-16"),
    pytest.param(json.dumps(text_to_image("caf\u00e9"), ensure_ascii=False).encode("latin-1"), id="Latin-1"),
    pytest.param(b"\x80\x04\x95", id="a pickle"),
])  # fmt: skip
def test_malformed_json(client: httpx.Client, body: bytes) -> None:
    problem(client.post("/v1/jobs", content=body, headers=JSON), 400, "malformed_json")


@pytest.mark.parametrize("headers", [
    {},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Type": "application/json; charset=latin-1"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Type": "text/json"},
    {"Content-Type": "application/jsonp"},
    {**JSON, "Content-Encoding": "gzip"},
    {**JSON, "Content-Encoding": "identity, br"},
])  # fmt: skip
def test_another_format(client: httpx.Client, headers: dict[str, str]) -> None:
    problem(client.post("/v1/jobs", content=GOOD, headers=headers), 415, "unsupported_media_type")


def test_a_gzip_bomb_is_not_inflated(client: httpx.Client) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    answer = client.post("/v1/jobs", content=bomb, headers={**JSON, "Content-Encoding": "gzip"})
    problem(answer, 415, "unsupported_media_type")


def test_too_large(client: httpx.Client, api: ApiServer) -> None:
    body = json.dumps(text_to_image("x" * api.settings.max_body_bytes)).encode()
    problem(client.post("/v1/jobs", content=body, headers=JSON), 413, "too_large")


def test_too_large_in_chunks_without_a_length(client: httpx.Client, api: ApiServer) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(api.settings.max_body_bytes // 50_000 + 2):
            yield b" " * 50_000

    problem(client.post("/v1/jobs", content=chunks(), headers=JSON), 413, "too_large")


@pytest.mark.parametrize(("head", "rest", "slug"), [
    (b"Content-Length: 50\r\n", GOOD[:20], "malformed_request"),
    (b"Transfer-Encoding: chunked\r\n", b"5\r\n{\"kin\r\n", "malformed_request"),
    (b"Transfer-Encoding: chunked\r\n", b"zz\r\n{}", "malformed_request"),
])  # fmt: skip
def test_a_body_that_breaks_off(api: ApiServer, head: bytes, rest: bytes, slug: str) -> None:
    with socket.create_connection(("127.0.0.1", api.settings.port), timeout=10) as raw:
        raw.sendall(
            b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            + head
            + b"\r\n"
            + rest
        )
        raw.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    assert b" 400 " in answer.split(b"\r\n")[0]
    assert slug.encode() in answer


def test_a_body_that_trickles_is_ended(api: ApiServer, client: httpx.Client) -> None:
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", api.settings.port), timeout=40) as raw:
        raw.sendall(
            b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
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


# The envelope


@pytest.mark.parametrize(("body", "slug", "pointer"), [
    (1, "invalid_request", ""),
    ("text", "invalid_request", ""),
    ({}, "invalid_request", "/kind"),
    ({"kind": "text"}, "invalid_request", "/inputs"),
    ({"kind": "text", "inputs": []}, "invalid_request", "/inputs"),
    ({"kind": "text", "inputs": None}, "invalid_request", "/inputs"),
    ({**text(), "colour": 1}, "invalid_request", "/colour"),
    ({**text(), "__proto__": {}}, "invalid_request", "/__proto__"),
    ({**text(), "owner": "somebody"}, "invalid_request", "/owner"),
    ({**text(), "ref": "a"}, "invalid_request", "/ref"),
    ({**text(), "a/b~c": 1}, "invalid_request", "/a~1b~0c"),
    ({**text(), "webhook": "https://example.org/"}, "invalid_request", "/webhook"),
    ({**text(), "webhook": None}, "invalid_request", "/webhook"),
    ({**text(), "kind": 1}, "invalid_request", "/kind"),
    ({**text(), "kind": "nonsense"}, "unknown_kind", "/kind"),
    ({**text(), "kind": "../text"}, "unknown_kind", "/kind"),
    ({**text(), "kind": "x" * 10_000}, "invalid_request", "/kind"),
    ({**text(), "model": "no/such"}, "unknown_model", "/model"),
    ({**text(), "model": "../../etc/passwd"}, "unknown_model", "/model"),
    ({**text(), "model": "https://example.org/weights"}, "unknown_model", "/model"),
    ({**text(), "model": "test/fake"}, "unknown_model", "/model"),
    ({**text(), "model": ["a"]}, "invalid_request", "/model"),
    ({**text(), "priority": "urgent"}, "invalid_request", "/priority"),
    ({**text(), "priority": 1}, "invalid_request", "/priority"),
    ({**text(), "metadata": []}, "invalid_request", "/metadata"),
    ({**text(), "metadata": {"a": {"b": 1}}}, "invalid_request", "/metadata/a"),
    ({**text(), "metadata": {"a": "x" * 513}}, "invalid_request", "/metadata/a"),
    ({**text(), "metadata": {"__proto__": 1}}, "invalid_request", "/metadata/__proto__"),
    ({**text(), "metadata": {"x" * 65: 1}}, "invalid_request", "/metadata/" + "x" * 65),
    ({**text(), "metadata": {str(n): n for n in range(33)}}, "invalid_request", "/metadata"),
    ({**text(), "deadline_seconds": 0}, "invalid_request", "/deadline_seconds"),
    ({**text(), "deadline_seconds": -1}, "invalid_request", "/deadline_seconds"),
    ({**text(), "deadline_seconds": "60"}, "invalid_request", "/deadline_seconds"),
    ({**text(), "deadline_seconds": True}, "invalid_request", "/deadline_seconds"),
    ({**text(), "start_deadline_seconds": 1e12}, "invalid_request", "/start_deadline_seconds"),
    ({**text(), "expires_in_seconds": 1}, "invalid_request", "/expires_in_seconds"),
    ({**text(), "expires_in_seconds": 10**12}, "invalid_request", "/expires_in_seconds"),
    ({**text(), "expires_in_seconds": 99.5}, "invalid_request", "/expires_in_seconds"),
])  # fmt: skip
def test_a_request_that_is_not_valid(client: httpx.Client, body: Any, slug: str, pointer: str) -> None:
    found = problem(client.post("/v1/jobs", json=body), 422, slug)
    assert pointer in [fault["pointer"] for fault in found["errors"]]


# The inputs


@pytest.mark.parametrize(("body", "field"), [
    *(({"kind": "text-to-image", "model": "test/fake", "inputs": inputs}, field) for inputs, field in [
        ({}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": " \n\u2003 "}, "prompt"),
        ({"prompt": "x" * 900_000}, "prompt"),
        ({"prompt": 1}, "prompt"),
        ({"prompt": ["a"]}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": {"job": "#x"}}, "prompt/job"),
    ]),
    *((with_inputs(**{field: value}), field) for field, value in [
        ("width", 0), ("width", -64), ("width", 10**9), ("width", 65), ("width", "64"), ("width", 64.0), ("width", True),
        ("height", 0), ("height", 2**62), ("steps", 0), ("steps", 10**6), ("steps", 1.5), ("guidance", -1),
        ("guidance", 1000), ("guidance", "7"), ("seed", -1), ("seed", 2**32), ("seed", 1.0), ("n", 0), ("n", 10_000),
        ("n", None), ("scheduler", "nonsense"), ("negative_prompt", 5), ("colour", "red"), ("__class__", "x"),
    ]),
    *((text(**{field: value}), field) for field, value in [
        ("max_tokens", 0), ("max_tokens", 10**9), ("temperature", -0.1), ("temperature", 99), ("top_p", 0), ("top_p", 1.1),
        ("stop", "x"), ("stop", ["x"] * 99), ("width", 64),
    ]),
    *((
        {"kind": "image-to-image", "model": "test/fake", "inputs": {"prompt": "x", "image": image, **more}}, field
    ) for image, more, field in [
        (None, {}, "image"), ("upl_1", {}, "image"), ({}, {}, "image"), ({"upload": "a", "job": "b"}, {}, "image/job"),
        ({"url": "http://127.0.0.1/"}, {}, "image/url"), ({"upload": "../x"}, {}, "image/upload"),
        ({"job": "job_1"}, {}, "image/job"), ({"upload": "upl_" + "0" * 24}, {}, "image/upload"),
        ({"upload": "upl_" + "0" * 24, "artifact": "0.png"}, {}, "image/artifact"),
        ({"job": "job_" + "0" * 24, "artifact": "../../x"}, {}, "image/artifact"),
        ({"upload": "upl_" + "0" * 24}, {"strength": 0}, "strength"), ({"upload": "upl_" + "0" * 24}, {"strength": 2}, "strength"),
    ]),
])  # fmt: skip
def test_inputs_that_are_not_valid(client: httpx.Client, body: Any, field: str) -> None:
    found = problem(client.post("/v1/jobs", json=body), 422, "invalid_inputs")
    assert f"/inputs/{field}" in [fault["pointer"] for fault in found["errors"]]


def test_every_fault_is_told_at_once(client: httpx.Client) -> None:
    found = problem(client.post("/v1/jobs", json=text_to_image("", steps=0, width=3)), 422, "invalid_inputs")
    assert {fault["pointer"] for fault in found["errors"]} == {
        "/inputs/prompt",
        "/inputs/steps",
        "/inputs/width",
    }


# Methods and paths


@pytest.mark.parametrize(("method", "path", "allowed"), [
    ("PUT", "/v1/jobs", {"GET", "HEAD", "POST"}),
    ("PATCH", "/v1/jobs/job_" + "0" * 24, {"DELETE", "GET", "HEAD"}),
    ("OPTIONS", "/v1/jobs", {"GET", "HEAD", "POST"}),
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


# What looks odd and is fine


@pytest.fixture
def accepting(client: httpx.Client) -> Iterator[httpx.Client]:
    """A client whose jobs are removed at the end."""
    yield client
    for job in client.get("/v1/jobs").json()["data"]:
        client.delete(job["urls"]["self"])


@pytest.mark.parametrize("prompt", [
    "שלום مرحبا", "a\u200bb\u200d", "👩\u200d👩\u200d👧\u200d👦", "e\u0301\u0327\u0300", "{{ 7*7 }} ${x} %s %n {0}",
    "line\r\nlevel=error msg=fake", "<|im_end|><|endoftext|>[INST]", "<script>alert(1)</script><svg onload=x>",
    "'; DROP TABLE jobs; --", "../../etc/passwd", "\u202egnp.exe", "x" * 4000,
])  # fmt: skip
def test_any_other_text_is_a_prompt(accepting: httpx.Client, prompt: str) -> None:
    answer = accepting.post("/v1/jobs", json=text_to_image(prompt))
    assert answer.status_code == 202, answer.text
    assert accepting.get(answer.json()["urls"]["self"]).json()["inputs"]["prompt"] == prompt


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON; charset=UTF-8"])  # fmt: skip
def test_ways_to_say_json(accepting: httpx.Client, content_type: str) -> None:
    assert accepting.post("/v1/jobs", content=GOOD, headers={"Content-Type": content_type}).status_code == 202


def test_a_body_in_chunks(accepting: httpx.Client) -> None:
    chunks = iter([GOOD[:10], GOOD[10:30], GOOD[30:]])
    assert accepting.post("/v1/jobs", content=chunks, headers=JSON).status_code == 202
