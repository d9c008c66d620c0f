"""What is fuzzed: a real API process with keys, on a real Valkey, with a real worker of the fake family."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.keys import Keys, Scope
from infra.settings import Settings
from pipelines.catalog import Catalog
from tests.integration.api.support import ApiServer
from tests.integration.cluster import FAKE_CATALOG, Cluster, running_cluster
from tests.servers import FORGETFUL, StateServer, free_port, valkey_program

HERE = Path(__file__).parent
OWNER = "fuzz"
MANY = 1_000_000


@dataclass
class Stack:
    """A deployment to send requests to, and a key for all of it."""

    api: ApiServer
    cluster: Cluster
    key: str

    @property
    def server_errors(self) -> list[str]:
        """Lines of the API's log that tell of an exception that nobody expected."""
        return [line for line in self.api.log.splitlines() if '"action": "request.failed"' in line]


@contextmanager
def running_stack(folder: Path) -> Iterator[Stack]:
    """Servers, API and worker, with their data in `folder`; ended when the block ends."""
    with (
        _server() as state,
        _server(FORGETFUL) as broker,
        running_cluster(folder, state, broker, **_settings(folder)) as cluster,
        _api(cluster.settings, folder / "api") as api,
    ):
        key = Keys(state.client()).create(OWNER, scopes=list(Scope))[1]
        cluster.start_worker()
        yield Stack(api, cluster, key)


def _settings(folder: Path) -> dict[str, object]:
    """The fake family alone, which makes all at once, and limits that thousands of jobs do not reach."""
    others = folder / "others.toml"
    others.write_text(
        "".join(f'[[model]]\nname = "{name}"\nenabled = false\n' for name in Catalog.load().models)
    )
    return {
        "port": free_port(),
        "catalog": f"{FAKE_CATALOG}:{others}",
        "max_queued_per_owner": MANY,
        "max_queued": MANY,
    }


@contextmanager
def _server(options: tuple[str, ...] = ()) -> Iterator[StateServer]:
    server = StateServer(valkey_program(), **({"options": options} if options else {})).start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def _api(settings: Settings, folder: Path) -> Iterator[ApiServer]:
    folder.mkdir()
    server = ApiServer(settings, folder).start()
    try:
        yield server
    finally:
        server.stop()
