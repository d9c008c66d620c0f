"""Downloads are whole or not there, whatever the connection does."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from atelier import errors
from atelier.download import download
from atelier.records import Artifact
from atelier.transport import Transport

DATA = bytes(range(256)) * 4000
ARTIFACT = Artifact("0.png", 0, "output", "image/png", len(DATA), hashlib.sha256(DATA).hexdigest(), "")


def send(data: bytes, cut: int | None = None, ranges: bool = True) -> Any:
    """Answer with `data`, or the range of it that was asked for; `cut`: hang up after so many bytes."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range") if ranges else None
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        request.send_response(206 if asked else 200)
        if asked:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        request.send_header("Content-Length", str(len(data) - start))
        request.end_headers()
        request.wfile.write(data[start:][:cut])
        if cut is not None:
            request.close_connection = True

    return answer


def fetch(server: Any, target: Any) -> Any:
    transport = Transport(server.url, "")
    try:
        return download(transport, "/artifact", ARTIFACT, target)
    finally:
        transport.close()


def test_the_bytes_are_written(server, tmp_path):
    server.answers = [send(DATA)]

    path = fetch(server, tmp_path / "new" / "0.png")

    assert path.read_bytes() == DATA
    assert list(path.parent.iterdir()) == [path]


def test_who_fetches_the_same_file_meanwhile_waits(server, tmp_path):
    began, go = threading.Event(), threading.Event()

    def slow(request: BaseHTTPRequestHandler) -> None:
        began.set()
        assert go.wait(10)
        send(DATA)(request)

    server.answers = [slow, send(DATA)]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch, server, tmp_path / "0.png")
        assert began.wait(10)
        second = pool.submit(fetch, server, tmp_path / "0.png")
        with pytest.raises(TimeoutError):
            second.result(0.3)
        go.set()
        assert first.result(10) == second.result(10)

    assert (tmp_path / "0.png").read_bytes() == DATA
    assert len(list(tmp_path.iterdir())) == 1


def test_a_cut_download_goes_on_where_it_stopped(server, tmp_path):
    server.answers = [send(DATA, cut=300_000), send(DATA)]

    path = fetch(server, tmp_path / "0.png")

    assert path.read_bytes() == DATA
    asked = server.seen[1].headers["Range"]
    assert asked is not None
    assert 0 < int(asked.removeprefix("bytes=").removesuffix("-")) <= 300_000


def test_a_later_call_goes_on_too(server, tmp_path):
    server.answers = [send(DATA, cut=1)]  # each connection brings one byte; the tries run out
    with pytest.raises(errors.Unreachable):
        fetch(server, tmp_path / "0.png")
    assert not (tmp_path / "0.png").exists()
    tried = len(server.seen)

    server.answers = [send(DATA)]
    assert fetch(server, tmp_path / "0.png").read_bytes() == DATA

    assert server.seen[tried].headers["Range"] == f"bytes={tried}-"


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    server.answers = [send(DATA, cut=1000), send(DATA, ranges=False)]

    assert fetch(server, tmp_path / "0.png").read_bytes() == DATA


def test_other_bytes_than_recorded_are_refused_and_removed(server, tmp_path):
    server.answers = [send(DATA[::-1])]

    with pytest.raises(errors.BrokenDownload):
        fetch(server, tmp_path / "0.png")

    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_until_the_new_one_is_complete(server, tmp_path):
    target = tmp_path / "0.png"
    target.write_bytes(b"old")
    server.answers = [send(DATA[::-1])]

    with pytest.raises(errors.BrokenDownload):
        fetch(server, target)

    assert target.read_bytes() == b"old"
