"""From a checked URL to a connection: every address is checked, and a checked one is connected to."""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Self

import httpcore

from infra.outbound.addresses import Address, is_public
from infra.outbound.allow import Allow
from infra.outbound.errors import Unreachable, UrlRefused
from infra.outbound.urls import NOT_PUBLIC, Url

MOST_TRIED = 4  # addresses of one name
MOST_LOOKUPS = 6
"""Names that are looked up at once. A lookup cannot be stopped, and those of this process share gevent's ten
threads: dead names must leave some for its own services."""
Resolve = Callable[[str], list[str]]

_lookups = threading.BoundedSemaphore(MOST_LOOKUPS)


def resolve(host: str) -> list[str]:
    """Every address of this name, as the system knows them; Unreachable when there is none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable(f"There is no host {host}.") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Deadline:
    """The end of one request's time. It shuts the connections down when it comes: limits of single reads
    would let a server that sends a byte now and then hold us for ever."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._shut_all)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()

    def left(self) -> float:
        """Seconds; Unreachable when it has passed."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise Unreachable(f"The server did not answer within {self._seconds:g} seconds.")
        return left

    def watch(self, connection: socket.socket) -> None:
        """Shut this connection down at the end. It is a duplicate that is kept, because TLS takes the
        original over."""
        with self._lock:
            self._sockets.append(connection.dup())

    def _shut_all(self) -> None:
        with self._lock:
            for each in self._sockets:
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the other side has closed it already


class CheckedBackend(httpcore.NetworkBackend):
    """Connects for one request to one URL."""

    def __init__(self, url: Url, allow: Allow, deadline: Deadline, resolve: Resolve) -> None:
        self._url = url
        self._allow = allow
        self._deadline = deadline
        self._resolve = resolve
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to an address of the URL's host; UrlRefused if any of them may not be reached."""
        for address in self._addresses()[:MOST_TRIED]:
            try:
                stream = self._plain.connect_tcp(str(address), self._url.port, self._deadline.left())
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
            self._deadline.watch(stream.get_extra_info("socket"))
            self._check_time(stream)
            return stream
        self._deadline.left()
        raise Unreachable(f"No connection to {self._url.host} could be made.")

    def _check_time(self, stream: httpcore.NetworkStream) -> None:
        """The time may have been over before it was watched, and then nobody would shut it."""
        try:
            self._deadline.left()
        except Unreachable:
            stream.close()
            raise

    def _addresses(self) -> list[Address]:
        literal = self._url.address
        found = [literal] if literal else [ip_address(text) for text in self._resolve_in_time()]
        if not self._allow.names(self._url.host, self._url.port):
            for address in found:
                self._check(address)
        return found

    def _check(self, address: Address) -> None:
        if self._allow.holds(address):
            return
        if not self._url.is_plain:
            raise UrlRefused("Only https URLs on port 443 are used.")
        if not is_public(address):
            raise UrlRefused(NOT_PUBLIC)

    def _resolve_in_time(self) -> list[str]:
        """In a thread, because the system's resolver knows no deadline; one that is late is left behind."""
        answers: queue.SimpleQueue[list[str] | Unreachable] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self._resolve(self._url.host))
            except Unreachable as error:
                answers.put(error)
            finally:
                _lookups.release()

        late = Unreachable(f"The name {self._url.host} could not be resolved in time.")
        if not _lookups.acquire(timeout=self._deadline.left()):
            raise late
        threading.Thread(target=ask, name="outbound-resolve", daemon=True).start()
        try:
            answer = answers.get(timeout=self._deadline.left())
        except queue.Empty:
            raise late from None
        if isinstance(answer, Unreachable):
            raise answer
        return answer


def trusting_context() -> ssl.SSLContext:
    """TLS that trusts Mozilla's authorities, which a bare machine may lack, and the system's own."""
    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    return context
