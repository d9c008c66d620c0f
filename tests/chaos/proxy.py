"""A proxy between two parts of the system that hangs, delays or cuts what passes, or loses replies.

The proxies that can be had as Python packages are no longer kept up, or only drive a server written in Go.
"""

import contextlib
import shutil
import socket
import tempfile
import threading
import time
from enum import Enum
from pathlib import Path

Address = tuple[str, int] | str
"""Host and port, or the path of a unix socket."""

CHUNK = 1 << 16


class Way(Enum):
    """What becomes of bytes and connections; `Proxy.way` may change at any time."""

    OPEN = "bytes pass"
    HUNG = "connections are accepted and stay open; bytes wait until the way is open again, as in a partition"
    DEAF = "requests pass, replies are lost; who lost one is cut off when the way changes"
    CUT = "connections are closed, and new ones at once"


class Proxy:
    """Listens on a TCP port of loopback, or on a unix socket, and forwards to `upstream`."""

    def __init__(self, upstream: Address, *, unix: bool = False) -> None:
        self.delay_seconds = 0.0
        """How long each piece waits, in both directions."""
        self._upstream = upstream
        self._changed = threading.Condition()
        self._way = Way.OPEN
        self._pairs: set[_Pair] = set()
        self._threads: list[threading.Thread] = []
        self._losses: list[bytes] = []
        self._folder = Path(tempfile.mkdtemp(prefix="atl-proxy-"))
        self._listener = _listen(str(self._folder / "s.sock") if unix else ("127.0.0.1", 0))
        self.address: Address = self._listener.getsockname()
        self._start(self._accept)

    @property
    def port(self) -> int:
        """The TCP port that it listens on."""
        assert not isinstance(self.address, str)
        return self.address[1]

    @property
    def redis_url(self) -> str:
        """For clients of a Redis behind it."""
        return f"unix://{self.address}" if isinstance(self.address, str) else f"redis://127.0.0.1:{self.port}"

    @property
    def way(self) -> Way:
        return self._way

    @way.setter
    def way(self, way: Way) -> None:
        with self._changed:
            self._way = way
            self._changed.notify_all()
            for pair in tuple(self._pairs):
                if way is Way.CUT or pair.lost:
                    pair.close()

    @property
    def connections(self) -> int:
        """Open ones."""
        return len(self._pairs)

    @property
    def losses_left(self) -> int:
        """Replies that `lose_replies` has announced and that are still to come."""
        return len(self._losses)

    def cut_once(self) -> None:
        """Close all connections; new ones pass."""
        for pair in tuple(self._pairs):
            pair.close()

    def lose_replies(self, count: int = 1, to: bytes = b"") -> None:
        """Close the connection instead of giving the reply to each of the next `count` requests that hold
        `to`; the server has carried them out.
        """
        self._losses += [to] * count

    def abandon(self) -> None:
        """Leave all connections half open: the server's end is closed, the client is told nothing."""
        for pair in tuple(self._pairs):
            pair.abandon()

    def close(self) -> None:
        """End all connections, and listen no more."""
        _shut(self._listener)
        self.way = Way.CUT
        for thread in self._threads:
            thread.join(5)
        shutil.rmtree(self._folder)

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                self._join(client)

    def _join(self, client: socket.socket) -> None:
        try:
            if self._way is Way.CUT:
                raise ConnectionError
            server = _connect(self._upstream)
        except OSError:
            _shut(client)
            return
        pair = _Pair(client, server)
        self._pairs.add(pair)
        self._start(self._pump, pair, client, server)
        self._start(self._pump, pair, server, client)

    def _pump(self, pair: "_Pair", source: socket.socket, target: socket.socket) -> None:
        is_reply = source is pair.server
        with contextlib.suppress(OSError):  # either end has gone
            while chunk := source.recv(CHUNK):
                if self._passes(pair, chunk, is_reply):
                    target.sendall(chunk)
        if not (is_reply and pair.abandoned):
            self._pairs.discard(pair)
            pair.close()

    def _passes(self, pair: "_Pair", chunk: bytes, is_reply: bool) -> bool:
        time.sleep(self.delay_seconds)
        with self._changed:
            self._changed.wait_for(lambda: self._way is not Way.HUNG or pair.closed)
            if is_reply:
                pair.lost |= self._way is Way.DEAF
                if pair.doomed:
                    pair.close()
                return not (pair.lost or pair.doomed)
            if self._losses and self._losses[0] in chunk:
                del self._losses[0]
                pair.doomed = True
            return not pair.abandoned


class _Pair:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.lost = self.doomed = self.abandoned = self.closed = False

    def abandon(self) -> None:
        self.abandoned = True
        _shut(self.server)

    def close(self) -> None:
        self.closed = True
        _shut(self.client)
        _shut(self.server)


def _listen(address: Address) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    listener.bind(address)
    listener.listen(128)
    return listener


def _connect(address: Address) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def _shut(connection: socket.socket) -> None:
    """Close it so that a thread that waits on it wakes."""
    with contextlib.suppress(OSError):  # it is shut already
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
