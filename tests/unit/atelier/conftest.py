"""A small HTTP server that answers as each test says: faults that a healthy API cannot be made to show."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from atelier.ports import free_port

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    path: str
    headers: Message
    body: bytes


@dataclass
class Scripted:
    """Answers requests with `answers` in turn, the last one for ever; keeps what was asked in `seen`."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    seen: list[Asked] = field(default_factory=list)

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def server() -> Iterator[Scripted]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            scripted.seen.append(Asked(self.path, self.headers, self.rfile.read(length)))
            scripted.next()(self)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scripted = Scripted(f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield scripted
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def unused_port() -> int:
    return free_port("127.0.0.1")
