"""A whole deployment of real processes, on addresses that stay the same."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import httpx
import redis

from infra.connections import connect
from infra.settings import Settings
from tests.chaos.storm.part import Part
from tests.integration.cluster import FAKE_CATALOG, FAKE_FAMILY, TESTS
from tests.servers import DURABLE, FORGETFUL, S3_ACCESS, S3_SECRET, free_port, valkey_program

NO_CHANGES: Mapping[str, object] = {}


class Deployment:
    """State server, broker, S3 server, API and workers, on addresses that stay the same."""

    def __init__(
        self,
        folder: Path,
        workers: int,
        *,
        s3_port: int = 0,
        for_workers: Mapping[str, object] = NO_CHANGES,
        **changes: object,
    ) -> None:
        """`changes` are settings of all of our processes, `for_workers` those that workers have instead. The
        servers are where they are, whatever the settings say: between them there may be proxies.
        """
        self.folder = folder
        self.logs = folder / "logs"
        self.bucket_folder = folder / "s3"
        for made in (folder / "state", folder / "broker", self.bucket_folder, self.logs):
            made.mkdir(parents=True, exist_ok=True)
        self.state_socket, self.broker_socket = folder / "state.sock", folder / "broker.sock"
        self.s3_port = s3_port or free_port()
        values = {
            "home": folder / "home",
            "redis_url": f"unix://{self.state_socket}",
            "broker_url": f"unix://{self.broker_socket}",
            "storage_url": s3_url(self.s3_port),
            "catalog": str(FAKE_CATALOG),
            "port": free_port(),
            "max_queued_per_owner": 100_000,
            "events_keep_seconds": 86_400,
            **changes,
        }
        self.settings = Settings.model_validate(values)
        worker_settings = Settings.model_validate({**values, **for_workers})
        self.state = self._valkey("state", self.state_socket, DURABLE)
        self.broker = self._valkey("broker", self.broker_socket, FORGETFUL)
        self.storage = self._rclone(self.s3_port)
        self.api = self._ours("api", ["api"], lambda _: _serves(self.url), self.settings)
        self.workers = [
            self._ours(f"worker-{number}", ["workers", "--device", "cpu"], _has_started, worker_settings)
            for number in range(1, workers + 1)
        ]
        self.parts = [self.state, self.broker, self.storage, self.api, *self.workers]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    def start(self) -> None:
        """Start all parts, the servers first; returns when all are ready."""
        for part in self.parts:
            part.start()
            if part not in self.workers:
                part.wait_until_ready()
        for part in self.workers:
            part.wait_until_ready()

    def keep_running(self) -> list[tuple[Part, int]]:
        """Start what is due; those that have ended by themselves, with their exit codes."""
        codes = ((part, part.keep_running()) for part in self.parts)
        return [(part, code) for part, code in codes if code is not None]

    def drain_workers(self) -> None:
        for worker in self.workers:
            worker.drain()

    def stop(self) -> None:
        for part in reversed(self.parts):
            part.stop()

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, trust_env=False, timeout=10)

    def state_client(self, timeout: float = 1.0) -> redis.Redis:
        return connect(f"unix://{self.state_socket}", timeout=timeout, name="atelier-storm")

    def broker_client(self) -> redis.Redis:
        return connect(f"unix://{self.broker_socket}", name="atelier-storm")

    def _part(self, name: str, command: Sequence[str], ready: Callable[[Part], bool], **environ: str) -> Part:
        return Part(name, command, {**os.environ, **environ}, self.logs / f"{name}.log", ready)

    def _valkey(self, name: str, socket: Path, options: Sequence[str]) -> Part:
        places = ["--port", "0", "--unixsocket", str(socket), "--dir", str(self.folder / name)]
        command = [valkey_program(), *places, "--save", "", *options]
        return self._part(name, command, lambda _: _answers(f"unix://{socket}"))

    def _rclone(self, port: int) -> Part:
        rclone = str(Path(sys.executable).with_name("rclone"))
        places = ["--addr", f"127.0.0.1:{port}", str(self.bucket_folder)]
        command = [rclone, "serve", "s3", "--auth-key", f"{S3_ACCESS},{S3_SECRET}", *places]
        url = f"http://127.0.0.1:{port}"
        return self._part("s3", command, lambda _: _listens(url), RCLONE_CONFIG=os.devnull)

    def _ours(
        self, name: str, module: Sequence[str], ready: Callable[[Part], bool], settings: Settings
    ) -> Part:
        path = f"{TESTS.parent}{os.pathsep}{FAKE_FAMILY}"
        command = [sys.executable, "-m", *module]
        return self._part(name, command, ready, **settings.environ(), PYTHONPATH=path)


def s3_url(port: int) -> str:
    """Storage URL of the bucket, by way of this port."""
    return f"s3+http://{S3_ACCESS}:{quote(S3_SECRET, safe='')}@127.0.0.1:{port}/storm"


def _has_started(worker: Part) -> bool:
    return worker.worker_id() is not None


def _answers(url: str) -> bool:
    try:
        return bool(connect(url, retries=0).ping())
    except (redis.ConnectionError, redis.TimeoutError):
        return False


def _listens(url: str) -> bool:
    try:
        httpx.get(url, trust_env=False, timeout=2)
    except httpx.TransportError:
        return False
    return True


def _serves(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False, timeout=5).status_code == 200
    except httpx.TransportError:
        return False
