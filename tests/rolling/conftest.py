"""The release before this one, unpacked, and a deployment in which both run."""

import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.settings import Settings
from tests.integration.api.support import ROOT, ApiServer
from tests.integration.cluster import FAKE_CATALOG, READY_SECONDS, Cluster, WorkerProcess, running_cluster
from tests.servers import StateServer, free_port, wait_for

PACKED = Path(__file__).with_name("release-2.tar.xz")


@dataclass
class Deployment:
    """Processes of two releases on the same servers and storage."""

    cluster: Cluster
    old: Path
    """Where the code of the release before is."""
    new: Path = ROOT
    apis: list[ApiServer] = field(default_factory=list)

    def start_api(self, root: Path) -> ApiServer:
        """An API of that code, once it serves."""
        folder = self.cluster.folder / f"api-{len(self.apis)}"
        folder.mkdir()
        settings = self._settings_of(root).model_copy(update={"port": free_port()})
        self.apis.append(ApiServer(settings, folder, root=root))
        return self.apis[-1].start()

    def start_worker(self, root: Path) -> WorkerProcess:
        """A worker of that code, once it has claimed for the first time."""
        workers = self.cluster.workers
        log = self.cluster.folder / f"worker-{len(workers)}.log"
        worker = WorkerProcess(self._settings_of(root), log, root=root)
        workers.append(worker)
        wait_for(
            lambda: self.cluster.info(worker) is not None,
            READY_SECONDS,
            f"a ready worker, logging to {worker.log},",
        )
        return worker

    def _settings_of(self, root: Path) -> Settings:
        """With the catalog of that release, which knows no kinds of a later one."""
        catalog = root / FAKE_CATALOG.relative_to(ROOT)
        return self.cluster.settings.model_copy(update={"catalog": str(catalog)})


@pytest.fixture
def deployment(tmp_path: Path, redis7: StateServer, broker: StateServer) -> Iterator[Deployment]:
    """On the oldest server that both releases know; nothing runs yet."""
    with tarfile.open(PACKED) as archive:
        # Pythons before 3.11.4 do not take it as an argument, and unpack our own archive without it.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(tmp_path)  # noqa: S202 - it is our own
    with running_cluster(
        tmp_path,
        redis7,
        broker,
        catalog=str(FAKE_CATALOG),
        drain_seconds=2.0,
        beat_seconds=0.25,
        webhook_allow="127.0.0.1",
    ) as cluster:
        deployment = Deployment(cluster, tmp_path / "release-2")
        yield deployment
        for api in deployment.apis:
            api.stop()


class Receiver:
    """Takes webhooks; `told` has (message id, body) of each, in the order of their coming."""

    def __init__(self) -> None:
        told: list[tuple[str, dict[str, Any]]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told.append((self.headers["webhook-id"], json.loads(body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """Tests print nothing."""

        self.told = told
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/told"

    def start(self) -> "Receiver":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver().start()
    yield receiver
    receiver.stop()
