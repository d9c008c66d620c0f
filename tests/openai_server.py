"""A server that speaks OpenAI's protocol for text: on loopback, on a thread, streaming words that follow from
the request, in time, and keeping what it was asked."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.servers import free_port

WORDS = ["sun", "rain", "fox", "owl", "wood", "river", "stone", "bird", "wind", "night"]


def words(path: str, body: dict[str, Any]) -> list[str]:
    """As many words as were asked for, chosen by what was asked."""
    asked = {name: value for name, value in body.items() if name not in {"max_tokens", "stream", "stop"}}
    seed = hashlib.sha256(json.dumps([path, asked], sort_keys=True).encode()).digest()
    return [
        ("" if place == 0 else " ") + WORDS[seed[place % len(seed)] % len(WORDS)]
        for place in range(body["max_tokens"])
    ]


@dataclass
class OpenAIServer:
    """`say` gives the texts of a stream's pieces; `refuse` an answer (status, body) instead of a stream."""

    port: int = field(default_factory=free_port)
    say: Callable[[str, dict[str, Any]], list[str]] = words
    refuse: Callable[[str, dict[str, Any]], tuple[int, Any] | None] = lambda path, body: None
    pace: float = 0.0
    """Seconds before each piece."""
    finish: str | None = "length"
    """The last piece's finish_reason; None: the stream ends without one, as when a server dies."""
    key: str = ""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    running: int = 0
    most: int = 0
    """Most streams at the same time."""
    broken_off: int = 0
    """Streams that the other side closed before their end."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> ThreadingHTTPServer:
        """Serve until the returned server is shut down, or the process ends."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server

    @contextmanager
    def serving(self) -> Iterator["OpenAIServer"]:
        """Up during the block."""
        server = self.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((self.path, body))
                if outer.key and self.headers["Authorization"] != f"Bearer {outer.key}":
                    self._answer(401, {"error": {"code": "invalid_api_key"}})
                elif (refusal := outer.refuse(self.path, body)) is not None:
                    self._answer(*refusal)
                else:
                    with outer.counted():
                        self._stream(body)

            def _answer(self, status: int, content: Any) -> None:
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def _stream(self, body: dict[str, Any]) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                pieces = outer.say(self.path, body)
                for place, piece in enumerate(pieces):
                    time.sleep(outer.pace)
                    last = place == len(pieces) - 1
                    self._event({"choices": [self._choice(piece, outer.finish if last else None)]})
                if outer.finish is not None:
                    self._event({"choices": [], "usage": {"completion_tokens": len(pieces)}})
                    self.wfile.write(b"data: [DONE]\n\n")

            def _choice(self, piece: str, finish: str | None) -> dict[str, Any]:
                said = {"delta": {"content": piece}} if "chat" in self.path else {"text": piece}
                return {"index": 0, "finish_reason": finish, **said}

            def _event(self, content: Any) -> None:
                data = content if isinstance(content, str) else json.dumps(content)
                self.wfile.write(f"data: {data}\n\n".encode())

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Counts a stream while it runs, and whether it was broken off."""
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            yield
        except (BrokenPipeError, ConnectionResetError):
            with self.lock:
                self.broken_off += 1
        finally:
            with self.lock:
                self.running -= 1
