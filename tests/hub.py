"""A stand-in for the model hub: an HTTP server on loopback, on a thread, that answers as the hub does and
fails as a test wants. `HF_ENDPOINT` names it.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.servers import free_port

REVISION = "5f3e6390c1d2b4a7989a0b1c2d3e4f5061728394"
LARGE = ".safetensors"
"""What the hub stores as large files, of which it states a SHA-256."""


@dataclass
class Hub:
    """Repositories as files by path; and what is to go wrong, each time it is asked for."""

    port: int = field(default_factory=free_port)
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range of each file that was asked for, in order."""
    spoil: dict[str, int] = field(default_factory=dict)
    """Times that a file's bytes are to come wrong."""
    cut: dict[str, list[int]] = field(default_factory=dict)
    """For each of the next requests of a file, after how many bytes the connection is dropped."""
    hold: dict[str, int] = field(default_factory=dict)
    """Files that stop coming after so many bytes, until `released`."""
    commit: str = REVISION
    """Which commit it says that each repository stands at."""
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bytes_asked(self, name: str) -> list[str]:
        """The ranges in which a file was asked for."""
        return [asked for path, asked in self.asked if path == name]

    @contextmanager
    def serving(self) -> Iterator["Hub"]:
        server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            server.shutdown()
            server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
                    self._answer(hub.describe(found[1], found[2] or REVISION))
                elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                    self._file(found[1], found[2], found[3])
                else:
                    self._answer(None)

            def _answer(self, body: Any) -> None:
                encoded = json.dumps(body or {"error": "Repository not found"}).encode()
                self.send_response(200 if body else 404)
                if not body:
                    self.send_header("X-Error-Code", "RepoNotFound")
                self.send_header("Content-Length", str(len(encoded)))
                self.end_headers()
                self.wfile.write(encoded)

            def _file(self, repository: str, revision: str, name: str) -> None:
                asked = self.headers.get("Range", "")
                hub.asked.append((name, asked))
                content = hub.repositories.get(repository, {}).get(name)
                if content is None or revision != REVISION:
                    self._answer(None)
                    return
                start = int(found[1]) if (found := re.fullmatch(r"bytes=(\d+)-", asked)) else 0
                self.send_response(206 if asked else 200)
                if asked:
                    self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                self._send(name, hub.bytes_of(name, content), start)

            def _send(self, name: str, content: bytes, start: int) -> None:
                if name in hub.hold:
                    self.wfile.write(content[start : hub.hold[name]])
                    self.wfile.flush()
                    hub.released.wait(60)
                    return
                cuts = hub.cut.get(name, [])
                end = start + cuts.pop(0) if cuts else len(content)
                self.wfile.write(content[start:end])
                self.close_connection = end < len(content)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def bytes_of(self, name: str, content: bytes) -> bytes:
        if self.spoil.get(name, 0) <= 0:
            return content
        self.spoil[name] -= 1
        return content[:-1] + b"?"

    def describe(self, repository: str, revision: str) -> dict[str, Any] | None:
        """What the hub's API says about a repository."""
        files = self.repositories.get(repository)
        if files is None or revision not in {REVISION, "main"}:
            return None
        siblings = [_sibling(name, content) for name, content in files.items()]
        return {"id": repository, "sha": self.commit, "siblings": siblings, "tags": [], "private": False}


def _sibling(name: str, content: bytes) -> dict[str, Any]:
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    said = {"rfilename": name, "size": len(content), "blobId": blob}
    if name.endswith(LARGE):
        digest = hashlib.sha256(content).hexdigest()
        said["lfs"] = {"size": len(content), "sha256": digest, "pointerSize": 130}
    return said
