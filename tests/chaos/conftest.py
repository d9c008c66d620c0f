"""What faults are done to: clusters of real parts that one test may break, with proxies between them."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.proxy import Address, Proxy
from tests.integration.api.conftest import start_api  # noqa: F401 - a fixture
from tests.integration.cluster import Cluster, running_cluster
from tests.servers import FORGETFUL, StateServer, redis_program, valkey_program

QUICK = {"lease_seconds": 3.0, "beat_seconds": 0.5, "tick_seconds": 0.5, "idle_claim_seconds": 1.0}
"""Settings that make losses show in a few seconds instead of twenty."""

NEED_THE_MACHINE = re.compile(r"test_(\w+_faults|crash_points)\.py")
"""Tests with leases of three seconds, which a machine that runs others beside them can stall for longer than
that: they are slow ones, for `make chaos`."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and NEED_THE_MACHINE.fullmatch(item.path.name):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def state(start_server: Callable[..., StateServer]) -> StateServer:
    """A Valkey of the test's own, AOF always, that it may kill."""
    return start_server()


@pytest.fixture(params=["valkey", "redis7"])
def either_state(request: pytest.FixtureRequest, start_server: Callable[..., StateServer]) -> StateServer:
    """As `state`: a Valkey, then a Redis 7.0."""
    return start_server(valkey_program() if request.param == "valkey" else redis_program())


@pytest.fixture
def own_broker(start_server: Callable[..., StateServer]) -> StateServer:
    """A broker of the test's own, that it may kill."""
    return start_server(options=FORGETFUL)


@pytest.fixture
def make_cluster(tmp_path: Path, own_broker: StateServer) -> Iterator[Callable[..., Cluster]]:
    """Makes a cluster without workers on a state server: `make_cluster(state, lease_seconds=15.0)`.

    Its settings are `QUICK` and those given. `redis_url`, `broker_url` and `storage_url` may name proxies for
    all parts; a worker or API that alone goes through one gets it by `start_worker(redis_url=…)`.
    """
    with ExitStack() as stack:

        def make(state: StateServer, **changes: Any) -> Cluster:
            return stack.enter_context(running_cluster(tmp_path, state, own_broker, **{**QUICK, **changes}))

        yield make


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster], state: StateServer) -> Cluster:
    """A cluster on Valkey that misses a lost worker after three seconds; no worker yet."""
    return make_cluster(state)


@pytest.fixture
def start_proxy() -> Iterator[Callable[..., Proxy]]:
    """Starts a proxy: `start_proxy(state.socket)`, `start_proxy(("127.0.0.1", port))`; `unix=True` makes it
    listen on a unix socket.
    """
    with ExitStack() as stack:

        def start(upstream: Address | Path, *, unix: bool = False) -> Proxy:
            proxy = Proxy(str(upstream) if isinstance(upstream, Path) else upstream, unix=unix)
            stack.callback(proxy.close)
            return proxy

        yield start
