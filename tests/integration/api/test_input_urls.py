"""Inputs by URL: off unless the operator turns it on; then downloaded, checked, and kept as uploads."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import redis

from infra.jobs.answers import Limits
from infra.jobs.owners import Owners, OwnerSettings
from infra.jobs.scripts import PREFIX
from infra.storage import open_storage
from infra.storage.keys import upload_key
from tests.integration.api.support import ApiServer, png, problem, submitted
from tests.media_samples import wav
from tests.servers import StateServer


class Files(BaseHTTPRequestHandler):
    """A picture, a sound, a page, an endless stream, and a way inside."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        answer = {"/a.png": png(), "/a.wav": wav(bytes(800)), "/a.html": b"<html>", "/cut.png": png()[:40]}
        known = self.path in answer or self.path == "/huge"
        self.send_response(302 if self.path == "/redirect" else 200 if known else 404)
        self.send_header("Location", "http://127.0.0.1/")
        self.send_header(
            "Content-Length", str(10**12 if self.path == "/huge" else len(answer.get(self.path, b"")))
        )
        self.end_headers()
        self.wfile.write(answer.get(self.path, b""))

    def log_message(self, *words: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def files() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Files,), {"asked": []}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def downloading(
    start_api: Callable[..., ApiServer], valkey: StateServer, broker: StateServer, files: ThreadingHTTPServer
) -> ApiServer:
    allow = f"127.0.0.1:{files.server_port}"
    return start_api(redis_url=valkey.url, broker_url=broker.url, input_urls=True, input_url_allow=allow)


def using(url: str, **more: Any) -> Any:
    inputs = {"prompt": "x", "image": {"url": url}}
    return {"kind": "image-to-image", "model": "test/fake", "inputs": inputs, **more}


def test_it_is_off_at_first(client: httpx.Client, records: redis.Redis) -> None:
    body = problem(client.post("/v1/jobs", json=using("https://example.com/a.png")), 422, "invalid_inputs")
    assert body["errors"][0]["pointer"] == "/inputs/image/url"
    assert "ATELIER_INPUT_URLS" in body["detail"]


def test_the_file_becomes_an_upload(downloading: ApiServer, files: ThreadingHTTPServer) -> None:
    url = f"http://127.0.0.1:{files.server_port}/a.png"
    with downloading.client() as client:
        chain = [using(url, ref="a"), using(url, ref="b")]
        answer = client.post("/v1/jobs", json=chain, headers={"Idempotency-Key": "1"})
        assert answer.status_code == 202, answer.text
        first, second = (job["inputs"]["image"] for job in answer.json()["data"])
        assert first == second
        stored = open_storage(downloading.settings).read(upload_key("local", first["upload"]))
        assert stored.startswith(b"\x89PNG")
        again = client.post("/v1/jobs", json=chain, headers={"Idempotency-Key": "1"})
        assert again.headers["Idempotency-Replayed"] == "true"
        submitted(client, using("https://unused.example/", inputs={"prompt": "x", "image": first}))
    assert files.RequestHandlerClass.asked == ["/a.png"]  # type: ignore[attr-defined]


def test_nothing_stays_of_a_submission_that_is_refused(
    downloading: ApiServer, files: ThreadingHTTPServer, records: redis.Redis
) -> None:
    url = f"http://127.0.0.1:{files.server_port}/a.png"
    Owners(records, limits=Limits()).change("local", OwnerSettings(max_queued=1))
    with downloading.client() as client:
        submitted(client, using(url))
        kept = set(open_storage(downloading.settings).entries("local/"))
        problem(client.post("/v1/jobs", json=using(url)), 429, "owner_limit")
    assert set(open_storage(downloading.settings).entries("local/")) == kept
    assert records.zcard(PREFIX + "uploads:due") == 1
    assert len(files.RequestHandlerClass.asked) == 2  # type: ignore[attr-defined]


def test_an_input_for_sound_takes_a_sound(downloading: ApiServer, files: ThreadingHTTPServer) -> None:
    sound, picture = (f"http://127.0.0.1:{files.server_port}/{name}" for name in ("a.wav", "a.png"))
    music = {"kind": "continue-music", "model": "test/fake-music"}
    with downloading.client() as client:
        job = submitted(client, {**music, "inputs": {"audio": {"url": sound}}})
        assert job["inputs"]["audio"].keys() == {"upload"}
        body = problem(
            client.post("/v1/jobs", json={**music, "inputs": {"audio": {"url": picture}}}),
            422,
            "invalid_inputs",
        )
    assert [(fault["pointer"], fault["detail"]) for fault in body["errors"]] == [
        ("/inputs/audio/url", "The URL gives image/png; a sound or a score is needed.")
    ]


UNUSABLE = {
    "a.wav": "an image is needed",
    "a.html": "Accepted are",
    "cut.png": "damaged",
    "redirect": "redirect",
    "none": "404",
    "huge": "bytes",
}


def test_what_cannot_be_used(
    downloading: ApiServer, files: ThreadingHTTPServer, records: redis.Redis
) -> None:
    with downloading.client() as client:
        for path, detail in UNUSABLE.items():
            good, bad = (f"http://127.0.0.1:{files.server_port}/{name}" for name in ("a.png", path))
            chain = [using(good, ref="a"), using(bad, ref="b")]
            body = problem(client.post("/v1/jobs", json=chain), 422, "invalid_inputs")
            assert [fault["pointer"] for fault in body["errors"]] == ["/1/inputs/image/url"]
            assert detail in body["errors"][0]["detail"]
            assert not records.exists("atl:{g0}:uploads:due")


LEADING_INSIDE = [
    "https://127.0.0.1/",
    "http://169.254.169.254/latest/",
    "https://[::ffff:127.0.0.1]/",
    "https://user@example.com/",
    "https://localhost/",
    "http://example.com/",
    "https://example.com:6379/",
    "gopher://example.com/",
    "file:///etc/passwd",
    "https://0x7f.1/",
    "x" * 3000,
]


def test_urls_that_are_refused_at_once(downloading: ApiServer, files: ThreadingHTTPServer) -> None:
    with downloading.client() as client:
        for url in LEADING_INSIDE:
            body = problem(client.post("/v1/jobs", json=using(url)), 422, "invalid_inputs")
            assert [fault["pointer"] for fault in body["errors"]] == ["/inputs/image/url"]
        urls = [f"http://127.0.0.1:{files.server_port}/a.png?{index}" for index in range(9)]
        chain = [using(url, ref=f"r{index}") for index, url in enumerate(urls)]
        body = problem(client.post("/v1/jobs", json=chain), 422, "invalid_inputs")
        assert [fault["pointer"] for fault in body["errors"]] == ["/8/inputs/image/url"]
    assert files.RequestHandlerClass.asked == []  # type: ignore[attr-defined]


def test_a_sound_is_no_picture(client: httpx.Client) -> None:
    upload = client.post("/v1/uploads", content=wav(bytes(1600))).json()
    assert (upload["media_type"], upload["duration_seconds"]) == ("audio/flac", 0.1)
    assert "width" not in upload
    body = problem(
        client.post("/v1/jobs", json=using("", inputs={"prompt": "x", "image": {"upload": upload["id"]}})),
        422,
        "invalid_inputs",
    )
    assert body["errors"][0]["pointer"] == "/inputs/image/upload"
    assert "an image is needed" in body["detail"]
