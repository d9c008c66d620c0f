"""In front of an S3 server: answers the next writes as a server in trouble would, and passes the rest on."""

import http.client
import socket
import threading
import time
from collections import deque
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

SLOW_SECONDS = 2.0


class Trouble(StrEnum):
    """What becomes of one write."""

    UNAVAILABLE = "answered 503, not stored"
    SLOW = "stored, answered after two seconds"
    RESET = "the connection is reset in the midst of the body, nothing stored"
    UNANSWERED = "stored, the connection is reset instead of an answer"
    DAMAGED = "one byte is changed on the way, and what was stored has another ETag"


class TroubledS3:
    """Listens on a port of loopback; `plan` holds what happens to the next objects that are put."""

    def __init__(self, port: int) -> None:
        self.plan: deque[Trouble] = deque()
        self.puts: list[str] = []
        """Paths of the objects that were put, whatever became of them."""
        handler = type("Handler", (_Handler,), {"upstream": port, "troubled": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def url(self, plain: str) -> str:
        """The storage URL `plain`, by way of this server."""
        return plain.replace(str(urlsplit(plain).port), str(self._server.server_port))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: ClassVar[int]
    troubled: ClassVar[TroubledS3]

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the tests tell what they see."""

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        trouble = self._trouble()
        if trouble is Trouble.UNAVAILABLE:
            return self._answer(503, {}, b"")
        if trouble is Trouble.RESET:
            return self._reset()
        if trouble is Trouble.DAMAGED:
            body = bytes([body[0] ^ 1]) + body[1:]
        status, headers, answer = self._pass_on(body)
        if trouble is Trouble.UNANSWERED:
            return self._reset()
        if trouble is Trouble.SLOW:
            time.sleep(SLOW_SECONDS)
        return self._answer(status, headers, answer)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_one  # noqa: N815 - the library's names

    def _trouble(self) -> Trouble | None:
        path = urlsplit(self.path).path
        if self.command != "PUT" or path.count("/") < 2:
            return None
        self.troubled.puts.append(path)
        return self.troubled.plan.popleft() if self.troubled.plan else None

    def _pass_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        server = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=10)
        try:
            server.request(self.command, self.path, body, dict(self.headers))
            answer = server.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            server.close()

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        length = headers.get("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        self.wfile.write(body)
