"""Idle watchers: hundreds of them cost the others nothing."""

# ruff: noqa: E501 - tables of cases, and signatures with their fixtures

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any

import httpx

from tests.integration.api.support import ApiServer, problem, submitted
from tests.servers import StateServer, wait_for

WATCHERS = 200


@contextmanager
def watching(server: ApiServer, client: httpx.Client, job: Any, count: int) -> Iterator[list[socket.socket]]:
    """So many open connections: half of them event streams, half long polls."""
    path = job["urls"]["self"]
    asks = [
        f"GET {path}/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\n\r\n",
    ]
    with ExitStack() as opened:
        sockets = []
        for number in range(count):
            if number % 20 == 19:
                client.get("/livez")  # a storm of newcomers would be told to come again: not the point here
            one = opened.enter_context(
                socket.create_connection(("127.0.0.1", server.settings.port), timeout=30)
            )
            one.sendall(asks[number % 2].encode())
            sockets.append(one)
        yield sockets


def watchers(client: httpx.Client) -> int:
    lines = client.get("/metrics").text.splitlines()
    return int(float(next(line for line in lines if line.startswith("atelier_api_watchers ")).split()[1]))


def test_two_hundred_idle_watchers(
    start_api: Callable[..., ApiServer], start_server: Callable[..., StateServer], broker: StateServer
) -> None:
    state = start_server()
    server = start_api(redis_url=state.url, broker_url=broker.url)
    with server.client() as client, state.client() as connection:
        job = submitted(client)
        with watching(server, client, job, WATCHERS) as sockets:
            wait_for(lambda: watchers(client) == WATCHERS, 60, "all watchers")
            alive = []
            for _ in range(20):
                begun = time.monotonic()
                assert client.get("/livez").status_code == 200
                alive.append(time.monotonic() - begun)
            print(
                f"livez with {WATCHERS} watchers: median {median(alive) * 1000:.1f} ms, most {max(alive) * 1000:.1f} ms"
            )
            assert median(alive) < 0.5

            begun = time.monotonic()
            for _ in range(20):
                submitted(client)
            print(f"20 submissions: {time.monotonic() - begun:.2f} s")
            assert len(connection.client_list()) < 40, "connections do not grow with watchers"

            client.post(job["urls"]["cancel"])
            for one in sockets:
                assert _until(one, b"cancelled")
        wait_for(lambda: watchers(client) == 0, what="no watchers")


def test_one_watcher_too_many(
    start_api: Callable[..., ApiServer], valkey: StateServer, broker: StateServer
) -> None:
    server = start_api(redis_url=valkey.url, broker_url=broker.url, max_watchers=2)
    with server.client() as client:
        job = submitted(client)
        with watching(server, client, job, 2):
            wait_for(lambda: watchers(client) == 2, what="two watchers")
            answer = client.get(job["urls"]["events"])
            problem(answer, 503, "too_many_watchers")
            assert int(answer.headers["retry-after"]) > 0
            problem(client.get(job["urls"]["self"], headers={"Prefer": "wait=5"}), 503, "too_many_watchers")
            assert client.get(job["urls"]["self"]).status_code == 200
            begun = time.monotonic()
            submitted(client, headers={"Prefer": "wait=20"})
            assert time.monotonic() - begun < 15, "it is accepted already, so it is answered at once"
            client.post(job["urls"]["cancel"])
            wait_for(lambda: watchers(client) == 0, what="no watchers")


def test_watchers_are_let_go_at_the_end(
    start_api: Callable[..., ApiServer], valkey: StateServer, broker: StateServer
) -> None:
    server = start_api(redis_url=valkey.url, broker_url=broker.url)
    with server.client() as client:
        job = submitted(client)
        with watching(server, client, job, 10) as sockets:
            wait_for(lambda: watchers(client) == 10, what="ten watchers")
            ends: list[float] = []
            threads = [threading.Thread(target=lambda one=one: ends.append(_end_of(one))) for one in sockets]
            for thread in threads:
                thread.start()
            begun = time.monotonic()
            assert server.terminate() == 0
            for thread in threads:
                thread.join()
            assert max(ends) - begun < 8, "before the grace of 10 s is over"
    server.start()  # the port is free again


def _until(one: socket.socket, word: bytes) -> bool:
    one.settimeout(20)
    seen = b""
    while word not in seen:
        chunk = one.recv(65_536)
        if not chunk:
            return False
        seen += chunk
    return True


def _end_of(one: socket.socket) -> float:
    one.settimeout(20)
    while one.recv(65_536):
        pass
    return time.monotonic()
