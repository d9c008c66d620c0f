"""A real API server process on real servers, and a worker that is driven by hand."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.keys import CHANGED, Keys
from infra.settings import Settings
from infra.storage import open_storage
from tests import servers
from tests.conftest import session_server
from tests.integration.api.support import CATALOG, ApiServer, Hand
from tests.servers import StateServer, free_port, valkey_program, wait_for


@pytest.fixture
def start_api(tmp_path: Path) -> Iterator[Callable[..., ApiServer]]:
    """Starts a server of the test's own with these settings; `environ` for what is no setting."""
    started: list[ApiServer] = []

    def start(environ: dict[str, str] | None = None, **changes: Any) -> ApiServer:
        folder = tmp_path / f"api-{len(started)}"
        folder.mkdir()
        fixed = {"home": tmp_path / "home", "port": free_port(), "catalog": str(CATALOG)}
        server = ApiServer(Settings(**{**fixed, **changes}), folder, environ or {})
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def valkey_of_session() -> Iterator[StateServer]:
    """Not the one of unit tests: the API on it rescues whatever jobs are there, and sends their messages."""
    yield from session_server(valkey_program())


@pytest.fixture(scope="session")
def api_of_session(
    valkey_of_session: StateServer, broker_of_session: StateServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("api")
    server = ApiServer(
        Settings(
            home=folder / "home",
            port=free_port(),
            catalog=str(CATALOG),
            redis_url=valkey_of_session.url,
            broker_url=broker_of_session.url,
            max_queued_per_owner=200,
        ),
        folder,
    )
    try:
        server.start()
        assert server.process is not None
        servers.kept.add(server.process.pid)
        yield server
    finally:
        server.stop()


@pytest.fixture
def api(api_of_session: ApiServer, valkey: StateServer, broker: StateServer) -> ApiServer:
    """A server without keys and without jobs, shared with other tests. It remembers keys for a second, and
    goes by what it hears of changes: they were removed behind its back."""
    with valkey.client() as state, api_of_session.client() as client:
        state.publish(CHANGED, "all")
        wait_for(
            lambda: client.get("/v1/queues").status_code == 200, what="an API that has forgotten the keys"
        )
    return api_of_session


@pytest.fixture
def client(api: ApiServer) -> Iterator[httpx.Client]:
    """A client of `api` without a key: the owner `local`."""
    with api.client() as client:
        yield client


@pytest.fixture
def records(valkey: StateServer) -> Iterator[redis.Redis]:
    """A client of the state server behind `api`."""
    with valkey.client() as client:
        yield client


@pytest.fixture
def queue(api: ApiServer, records: redis.Redis) -> JobQueue:
    """The job queue behind `api`."""
    return JobQueue(records, limits=Limits.from_settings(api.settings))


@pytest.fixture
def hand(api: ApiServer, queue: JobQueue) -> Hand:
    """A worker of `api`'s jobs."""
    return Hand(queue, open_storage(api.settings))


@pytest.fixture
def key_of(api: ApiServer, records: redis.Redis) -> Callable[[str], str]:
    """Makes an API key for an owner."""
    return lambda owner: Keys(records).create(owner)[1]
