"""A load generator: connections that each send the next request as soon as they have the answer to the last.

It runs in a process of its own, in one thread, on raw keep-alive sockets and epoll: a request costs it some
20 microseconds, which a server in Python cannot outrun. It tells what share of a core it used itself.

    echo '{"port": 8000, "path": "/v1/jobs", "body": "{}", …}' | python -m tests.bench.load
"""

import json
import re
import select
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field

from tests.bench.figures import percentile

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
HEAD_END = b"\r\n\r\n"
CHUNK = 1 << 16
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Order:
    """What is sent, and how."""

    port: int
    path: str
    body: str = ""
    """Empty: GET."""
    headers: dict[str, str] = field(default_factory=dict)
    connections: int = 64
    seconds: float = 3.0
    warm_seconds: float = 0.5
    """Before, not counted."""
    pace: float = 0.0
    """Requests a second in all; 0: as many as there can be."""

    def request(self) -> bytes:
        """The bytes of one request."""
        method = "POST" if self.body else "GET"
        lines = [f"{method} {self.path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body.encode())}"]
        return "\r\n".join([*lines, "", ""]).encode() + self.body.encode()


@dataclass(frozen=True)
class Answers:
    """What came back while it counted."""

    seconds: float
    statuses: dict[str, int]
    p50_ms: float
    p99_ms: float
    max_ms: float
    core: float
    """Share of one core that the generator itself used."""

    def rate(self, status: int) -> float:
        """Answers of this status a second."""
        return self.statuses.get(str(status), 0) / self.seconds


def put_load(order: Order) -> Answers:
    """Have another process send it; what that one saw."""
    command = [sys.executable, "-m", "tests.bench.load"]
    done = subprocess.run(
        command,
        input=json.dumps(asdict(order)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=order.seconds + order.warm_seconds + 3 * PATIENCE_SECONDS,
    )
    return Answers(**json.loads(done.stdout))


class _Generator:
    """The loop; everything that a request costs is in `_read`."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._request = order.request()
        self._sent: dict[int, float] = {}
        self._got: dict[int, bytes] = {}
        self.times: list[float] = []
        self.statuses: Counter[str] = Counter()

    def run(self) -> Answers:
        sockets = {(made := self._connect()).fileno(): made for _ in range(self._order.connections)}
        poll = select.epoll()
        for number in sockets:
            poll.register(number, select.EPOLLIN)
        begun = time.perf_counter()
        counts_from, ends = (
            begun + self._order.warm_seconds,
            begun + self._order.warm_seconds + self._order.seconds,
        )
        self._gap = self._order.connections / self._order.pace if self._order.pace else 0.0
        self._due = {number: begun + self._gap * place / len(sockets) for place, number in enumerate(sockets)}
        core = time.process_time()
        now = begun
        while now < ends or (len(self.times) < self._order.connections and now < ends + PATIENCE_SECONDS):
            next_due = self._send_due(sockets, now)
            for number, _ in poll.poll(max(0.0, min(next_due - now, 0.1))):
                now = time.perf_counter()
                if self._read(sockets[number], number):
                    self._note(number, now, counts_from)
            now = time.perf_counter()
        used = (time.process_time() - core) / (now - begun)
        for made in sockets.values():
            made.close()
        return self._answers(now - counts_from, used)

    def _connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self._order.port), timeout=PATIENCE_SECONDS)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def _send_due(self, sockets: dict[int, socket.socket], now: float) -> float:
        """Send on the connections whose time has come; when the next one's comes."""
        soonest = now + 1.0
        for number, due in list(self._due.items()):
            if due <= now:
                del self._due[number]
                self._got[number], self._sent[number] = b"", now
                sockets[number].sendall(self._request)
            else:
                soonest = min(soonest, due)
        return soonest

    def _read(self, made: socket.socket, number: int) -> bool:
        """Whether the answer is whole."""
        data = made.recv(CHUNK)
        if not data:
            raise ConnectionError("the server has closed a connection")
        got = self._got[number] = self._got[number] + data
        head = got.find(HEAD_END)
        if head < 0:
            return False
        length = LENGTH.search(got, 0, head)
        if length is None:
            raise ValueError(f"an answer without its length: {got[:200]!r}")
        return len(got) >= head + 4 + int(length[1])

    def _note(self, number: int, now: float, counts_from: float) -> None:
        if now >= counts_from:
            self.times.append(now - self._sent[number])
            self.statuses[self._got[number][9:12].decode()] += 1
        self._due[number] = max(now, self._sent[number] + self._gap)

    def _answers(self, seconds: float, core: float) -> Answers:
        times = sorted(self.times) or [float("nan")]
        return Answers(
            seconds=seconds,
            statuses=dict(self.statuses),
            p50_ms=percentile(times, 50) * 1000,
            p99_ms=percentile(times, 99) * 1000,
            max_ms=times[-1] * 1000,
            core=core,
        )


if __name__ == "__main__":
    print(json.dumps(asdict(_Generator(Order(**json.load(sys.stdin))).run())))
