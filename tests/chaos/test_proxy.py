"""The proxy does to connections what its ways say."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from tests.chaos.proxy import Proxy, Way
from tests.servers import StateServer, wait_for

NOT_ANSWERED = (redis.ConnectionError, redis.TimeoutError)
PATIENCE = 2.0
"""Seconds after which a client gives up: longer than a busy disk takes to sync a write."""


@pytest.fixture(params=[False, True], ids=["tcp", "unix"])
def proxy(request: pytest.FixtureRequest, valkey: StateServer, start_proxy: Callable[..., Proxy]) -> Proxy:
    return start_proxy(valkey.socket, unix=request.param)


@pytest.fixture
def client(proxy: Proxy) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(proxy.redis_url, socket_timeout=PATIENCE, retry=None, protocol=2) as client:
        yield client


@pytest.fixture
def valkey_client(valkey: StateServer) -> Iterator[redis.Redis]:
    """Around the proxy."""
    with valkey.client() as client:
        yield client


def test_open(client: redis.Redis, valkey_client: redis.Redis) -> None:
    value = b"x" * 1_000_000
    client.set("a", value)
    assert client.get("a") == value


def test_hung_and_open_again(proxy: Proxy, valkey: StateServer) -> None:
    with redis.Redis.from_url(proxy.redis_url, socket_timeout=10, retry=None) as client:
        client.ping()
        proxy.way = Way.HUNG
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(client.incr, "a")
            time.sleep(0.3)  # nothing may happen within it, so there is nothing to wait for
            assert valkey.client().get("a") is None
            proxy.way = Way.OPEN
            assert waiting.result(10) == 1


def test_deaf(proxy: Proxy, client: redis.Redis, valkey_client: redis.Redis) -> None:
    client.ping()
    proxy.way = Way.DEAF
    with pytest.raises(NOT_ANSWERED):
        client.incr("a")
    wait_for(lambda: valkey_client.get("a") == "1", what="the request at the server")
    proxy.way = Way.OPEN
    wait_for(lambda: client.get("a") == b"1")


def test_cut(proxy: Proxy, client: redis.Redis) -> None:
    client.ping()
    proxy.way = Way.CUT
    for _ in range(3):
        with pytest.raises(NOT_ANSWERED):
            client.ping()
    proxy.way = Way.OPEN
    before = client.client_id()
    proxy.cut_once()
    assert client.client_id() != before, "it has noticed, and has connected again"


def test_a_lost_reply(proxy: Proxy, client: redis.Redis, valkey_client: redis.Redis) -> None:
    client.ping()
    proxy.lose_replies(2, to=b"INCR")
    client.set("b", 1)
    for count in ("1", "2"):
        with pytest.raises(NOT_ANSWERED):
            client.incr("a")
        wait_for(lambda count=count: valkey_client.get("a") == count, what="the request at the server")  # type: ignore[misc]
    assert (client.incr("a"), proxy.losses_left) == (3, 0)


def test_half_open(proxy: Proxy, client: redis.Redis) -> None:
    client.ping()
    proxy.abandon()
    with pytest.raises(redis.TimeoutError):
        client.ping()
    assert client.ping(), "a new connection passes"


def test_delay(proxy: Proxy, client: redis.Redis) -> None:
    client.ping()
    proxy.delay_seconds = 0.1
    began = time.monotonic()
    client.ping()
    assert time.monotonic() - began >= 0.2


def test_nobody_behind_it(
    start_server: Callable[..., StateServer], start_proxy: Callable[..., Proxy]
) -> None:
    server = start_server()
    proxy = start_proxy(server.socket)
    server.kill()
    client = redis.Redis.from_url(proxy.redis_url, socket_timeout=PATIENCE, retry=None)
    with pytest.raises(NOT_ANSWERED):
        client.ping()
    server.start()
    assert client.ping()
    client.close()
