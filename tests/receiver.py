"""A receiver of webhooks: an HTTP server on loopback, on a thread, that answers what the test wants and keeps
what it was sent."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

from tests.servers import free_port

Answer = tuple[int, Mapping[str, str]]


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """The body, if it was signed with this secret, by the reading of the standard's own library."""
        return Webhook(secret).verify(self.body, dict(self.headers))


@dataclass
class Receiver:
    """`answer` is called for each request, in its thread; it may block, and gives status and headers."""

    port: int = field(default_factory=free_port)
    answer: Callable[[Received], Answer] = lambda received: (204, {})
    requests: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def allow(self) -> str:
        """For ATELIER_WEBHOOK_ALLOW."""
        return f"127.0.0.1:{self.port}"

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.requests]

    @contextmanager
    def serving(self) -> Iterator["Receiver"]:
        """Up during the block; before and after it connections are refused."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.path, headers, body)
                receiver.requests.append(received)
                status, extra = receiver.answer(received)
                self.send_response(status)
                for name, value in {"Content-Length": "0", **extra}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        return Handler
