"""A server of this folder's own, with keys and everything switched on that a bad input may be sent to."""

from collections.abc import Iterator

import pytest

from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.keys import Keys
from infra.settings import Settings
from infra.storage import open_storage
from tests import servers
from tests.bad_inputs.bench import Bench
from tests.bad_inputs.hostile_files import hostile_files
from tests.integration.api.conftest import start_api, valkey_of_session
from tests.integration.api.support import CATALOG, ApiServer, Hand
from tests.servers import StateServer, free_port

__all__ = ["start_api", "valkey_of_session"]  # fixtures, used here too


UPLOAD_BYTES = 16 * 1024 * 1024  # an endless download ends here


@pytest.fixture(scope="session")
def files_port() -> Iterator[int]:
    """Where files by URL come from."""
    with hostile_files() as port:
        yield port


@pytest.fixture(scope="session")
def bench_api(
    valkey_of_session: StateServer,
    broker_of_session: StateServer,
    files_port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("bad-inputs")
    settings = Settings(
        home=folder / "home",
        port=free_port(),
        catalog=str(CATALOG),
        redis_url=valkey_of_session.url,
        broker_url=broker_of_session.url,
        max_upload_bytes=UPLOAD_BYTES,
        input_urls=True,
        input_url_allow=f"127.0.0.1:{files_port}",
    )
    server = ApiServer(settings, folder)
    try:
        server.start()
        assert server.process is not None
        servers.kept.add(server.process.pid)
        yield server
    finally:
        server.stop()


@pytest.fixture
def bench(bench_api: ApiServer, files_port: int, valkey: StateServer, broker: StateServer) -> Iterator[Bench]:
    """A server without jobs, and two owners of it."""
    with valkey.client() as records:
        keys = Keys(records)
        queue = JobQueue(records, limits=Limits.from_settings(bench_api.settings))
        hand = Hand(queue, open_storage(bench_api.settings))
        alice, bob = (bench_api.client(keys.create(owner)[1]) for owner in ("alice", "bob"))
        with alice, bob:
            notes = {"files": f"http://127.0.0.1:{files_port}/"}
            yield Bench(bench_api, alice, bob, records, hand, keys, notes)
