"""What the table's cases are sent with: a real server with keys, two owners, and a worker driven by hand."""

import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis

from infra.keys import Keys
from tests.integration.api.support import ApiServer, Hand

JSON = {"Content-Type": "application/json"}
OF_NO_REQUEST = re.compile(r":(ticked_at|keys|last|outbox(?::(?!msg_).*)?|hooked:cursor)$")
"""Ends of keys that the API's own threads write."""


@dataclass
class Bench:
    """Two owners' clients of one server, and ways to see what a request has left behind."""

    api: ApiServer
    alice: httpx.Client
    bob: httpx.Client
    records: redis.Redis
    hand: Hand
    keys: Keys
    notes: dict[str, str] = field(default_factory=dict)
    """What a case's `before` leaves for its request, such as an id or the address of a server."""

    def submit(self, body: Any, **headers: str) -> httpx.Response:
        """`POST /v1/jobs` with this body as JSON, also with what JSON does not have, such as NaN."""
        return self.submit_bytes(json.dumps(body).encode(), headers)

    def submit_bytes(self, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """`POST /v1/jobs` with these bytes; the content type is JSON unless the headers say another."""
        return self.alice.post("/v1/jobs", content=body, headers={**JSON, **(headers or {})})

    def upload(
        self, data: bytes, filename: str = "a.png", content_type: str = "application/octet-stream"
    ) -> httpx.Response:
        """`POST /v1/uploads` with these bytes."""
        headers = {"Content-Type": content_type}
        return self.alice.post("/v1/uploads", params={"filename": filename}, content=data, headers=headers)

    def raw(self, head: bytes, body: bytes, *, path: bytes = b"/v1/jobs") -> httpx.Response:
        """A POST written by hand and broken off after `body`; `head` is header lines, each with its end."""
        key = self.alice.headers["Authorization"].encode()
        start = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + key + b"\r\n"
        with socket.create_connection(("127.0.0.1", self.api.settings.port), timeout=10) as connection:
            connection.sendall(start + head + b"\r\n" + body)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        return parse_answer(answer)

    def stored(self) -> set[str]:
        """Keys of the state server that come and go with jobs, uploads and what belongs to them."""
        return {key for key in self.records.scan_iter(count=1000) if not OF_NO_REQUEST.search(key)}

    def memory_bytes(self) -> int:
        """Resident memory of the API's processes."""
        return sum(process.memory_info().rss for process in self._processes())

    def peak_bytes(self) -> int:
        """The most that the API's processes have had resident since `forget_peak`."""
        peaks = [Path(f"/proc/{process.pid}/status").read_text() for process in self._processes()]
        return sum(int(text.split("VmHWM:")[1].split()[0]) * 1024 for text in peaks)

    def forget_peak(self) -> None:
        """Have `peak_bytes` count from now on."""
        for process in self._processes():
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")

    def _processes(self) -> list[psutil.Process]:
        assert self.api.process is not None
        found = psutil.Process(self.api.process.pid).children(recursive=True)
        return [process for process in found if "api" in process.cmdline()]


def parse_answer(answer: bytes) -> httpx.Response:
    """The HTTP/1.1 answer in these bytes."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = [tuple(line.split(": ", 1)) for line in lines]
    return httpx.Response(int(status.split()[1]), headers=headers, content=body)
