"""Fixtures that every tier shares: real servers, settings for them, a check for processes left behind."""

import logging
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import structlog

from infra.settings import Settings
from tests import servers
from tests.chaos.matrix import Seen, declared
from tests.servers import FORGETFUL, S3Server, StateServer, redis_program, valkey_program

LEAK_SECONDS = 3.0
PASSED = pytest.StashKey[bool]()


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    """Fails a test that leaves a child process behind, and ends it."""
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    yield
    left = [child for child in psutil.Process().children(recursive=True) if not _known(child, before)]
    _, left = psutil.wait_procs(left, LEAK_SECONDS)
    titles = [f"{child.pid}: {' '.join(child.cmdline())}" for child in left if child.is_running()]
    for child in left:
        child.kill()
    if titles:
        pytest.fail("processes left behind:\n" + "\n".join(titles))


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Iterator[Seen]:
    """Tells the kill matrix what came of a fault: `seen("claimed by the other", recovery_seconds=2.5)`."""
    assert declared(request.node)
    seen = Seen(request.node)
    yield seen
    if request.node.stash.get(PASSED, False):
        assert seen.told, "a fault's test tells what it saw"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


def _known(child: psutil.Process, before: set[int]) -> bool:
    try:
        return bool({child.pid, *(parent.pid for parent in child.parents())} & (before | servers.kept))
    except psutil.NoSuchProcess:
        return True


def session_server(program: str, options: tuple[str, ...] = servers.DURABLE) -> Iterator[StateServer]:
    """A server that lives as long as the session."""
    server = StateServer(program, options).start()
    assert server.process is not None
    servers.kept.add(server.process.pid)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def valkey_of_session() -> Iterator[StateServer]:
    yield from session_server(valkey_program())


@pytest.fixture(scope="session")
def redis_of_session() -> Iterator[StateServer]:
    yield from session_server(redis_program())


@pytest.fixture(scope="session")
def broker_of_session() -> Iterator[StateServer]:
    yield from session_server(valkey_program(), FORGETFUL)


@pytest.fixture
def valkey(valkey_of_session: StateServer) -> StateServer:
    """An empty Valkey, AOF always. It is shared: hang or kill one from `start_server` instead."""
    valkey_of_session.client().flushall()
    return valkey_of_session


@pytest.fixture
def redis7(redis_of_session: StateServer) -> StateServer:
    """An empty Debian Redis 7.0, AOF always; shared like `valkey`."""
    redis_of_session.client().flushall()
    return redis_of_session


@pytest.fixture(params=["valkey", "redis7"])
def state_server(request: pytest.FixtureRequest) -> StateServer:
    """Both servers, one after the other."""
    server: StateServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def state(valkey: StateServer) -> Iterator[redis.Redis]:
    """A client of an empty Valkey."""
    client = valkey.client()
    yield client
    client.close()


@pytest.fixture
def broker(broker_of_session: StateServer) -> StateServer:
    """An empty Valkey that keeps nothing on disk."""
    broker_of_session.client().flushall()
    return broker_of_session


@pytest.fixture
def start_server() -> Iterator[Callable[..., StateServer]]:
    """Starts a server of the test's own: `start_server(program=…, options=…, port=…)`, all optional."""
    started: list[StateServer] = []

    def start(program: str = "", **how: Any) -> StateServer:
        server = StateServer(program or valkey_program(), **how)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Makes settings with a home in the test's folder: `settings(redis_url=valkey.url)`."""

    def make(**changes: Any) -> Settings:
        return Settings(**{"home": tmp_path / "home", **changes})

    return make


@pytest.fixture
def own_logging() -> Iterator[None]:
    """For tests that configure the logging: leaves it to the other tests as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def s3_rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """`rclone serve s3`; `.url()` gives a storage URL with a bucket of its own."""
    server = servers.start_rclone(tmp_path_factory.mktemp("rclone"))
    servers.kept.add(server.process.pid)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def s3_moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """moto's S3 server, a second reading of the protocol."""
    server = servers.start_moto(tmp_path_factory.mktemp("moto"))
    servers.kept.add(server.process.pid)
    yield server
    server.stop()


@pytest.fixture
def own_rclone(tmp_path: Path) -> Iterator[S3Server]:
    """An `rclone serve s3` that one test may hang or kill."""
    folder = tmp_path / "own-rclone"
    folder.mkdir()
    server = servers.start_rclone(folder)
    yield server
    server.thaw()
    server.stop()
