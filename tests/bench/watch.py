"""Many event streams at once, read by one process: how late each event comes.

An event's `delta` is the time at which it was made, in nanoseconds of this machine's clock. Prints a line
once all streams are open, then, when its input closes, the delays as JSON.

    python -m tests.bench.watch PORT /v1/jobs/job_1/events /v1/jobs/job_1/events …
"""

import json
import re
import select
import socket
import sys
import time

MADE_AT = re.compile(rb'"delta": ?"(\d+)"')
CHUNK = 1 << 16
OPENING = 50
"""Connections that are opened before the first of them has to have answered."""


def main(port: int, paths: list[str]) -> None:
    """Open them all, then read until there is no more input."""
    streams: dict[int, socket.socket] = {}
    rest: dict[int, bytes] = {}
    poll = select.epoll()
    for start in range(0, len(paths), OPENING):
        opened = [_open(port, path) for path in paths[start : start + OPENING]]
        for stream in opened:
            _read_head(stream)
            streams[stream.fileno()], rest[stream.fileno()] = stream, b""
            poll.register(stream.fileno(), select.EPOLLIN)
    opened_at = time.time_ns()
    print("open", flush=True)
    poll.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
    delays: list[float] = []
    while True:
        for number, _ in poll.poll():
            if number == sys.stdin.fileno():
                print(json.dumps(delays))
                return
            data = rest[number] + streams[number].recv(CHUNK)
            now = time.time_ns()
            whole, _, rest[number] = data.rpartition(b"\n")
            made_at = [int(made) for made in MADE_AT.findall(whole)]
            delays += [(now - made) / 1e6 for made in made_at if made > opened_at]  # not what was told again


def _open(port: int, path: str) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port), timeout=20)
    stream.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return stream


def _read_head(stream: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        data = stream.recv(CHUNK)
        if not data:
            raise ConnectionError("a stream was closed")
        head += data
    if not head.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(head[:300].decode(errors="replace"))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
