"""Clusters of real parts: one that a module's tests share, and ones that a test may break."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.integration.cluster import Cluster, running_cluster
from tests.servers import FORGETFUL, StateServer, redis_program, valkey_program


@pytest.fixture
def state(start_server: Callable[..., StateServer]) -> StateServer:
    """A Valkey of the test's own, AOF always, that it may kill."""
    return start_server()


@pytest.fixture
def own_broker(start_server: Callable[..., StateServer]) -> StateServer:
    """A broker of the test's own, that it may kill."""
    return start_server(options=FORGETFUL)


@pytest.fixture
def cluster(tmp_path: Path, state: StateServer, own_broker: StateServer) -> Iterator[Cluster]:
    """A cluster that the test may break, with no worker yet. It beats often, so that steps show soon in the
    record.
    """
    with running_cluster(tmp_path, state, own_broker, beat_seconds=0.25) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One worker on a Redis 7.0, for tests that break nothing; what breaks things runs on Valkey.

    It looks for work by itself only every 30 s: here every job starts by a doorbell.
    """
    state, broker = StateServer(redis_program()).start(), StateServer(valkey_program(), FORGETFUL).start()
    for server in (state, broker):
        assert server.process is not None
        servers.kept.add(server.process.pid)
    changes = {"idle_claim_seconds": 30.0, "step_timeout_seconds": 2.0, "stop_grace_seconds": 1.0}
    try:
        with running_cluster(tmp_path_factory.mktemp("shared"), state, broker, **changes) as cluster:
            servers.kept.add(cluster.start_worker().pid)
            yield cluster
    finally:
        state.stop()
        broker.stop()
