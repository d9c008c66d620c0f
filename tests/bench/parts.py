"""What benchmarks measure: real servers and processes of ours and of the rivals, ended with this one."""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from infra.settings import Settings
from tests.chaos.storm.part import Part
from tests.integration.cluster import FAKE_CATALOG, FAKE_FAMILY, ROOT
from tests.servers import DURABLE, FORGETFUL, StateServer, clean_environment, free_port, valkey_program

OWNER_LIMIT = 10_000_000
RIVAL_THREADS = 8


@dataclass
class Bench:
    """A folder, and the servers in it that our processes share."""

    folder: Path
    state: StateServer
    broker: StateServer
    settings: Settings

    def api(self, **changes: object) -> Part:
        """One API process, not started."""
        settings = self.settings.model_copy(update=changes)
        return self.part(
            "api",
            [sys.executable, "-m", "api"],
            f"http://127.0.0.1:{settings.port}/readyz",
            **settings.environ(),
        )

    def part(self, name: str, command: Sequence[str], ready_url: str, **environ: str) -> Part:
        """A process that is ready once it answers there."""
        path = f"{ROOT}{os.pathsep}{FAKE_FAMILY}"
        return Part(
            name,
            command,
            {**clean_environment(), "PYTHONPATH": path, **environ},
            self.folder / f"{name}.log",
            lambda _: _answers(ready_url),
        )

    def rival(self, broker: StateServer) -> tuple[Part, int]:
        """The Flask and Celery application under gunicorn, not started, and its port."""
        port = free_port()
        command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", str(RIVAL_THREADS)]
        command += ["-w", "1", "-b", f"127.0.0.1:{port}", "--backlog", "512", "--no-control-socket"]
        command += ["--keep-alive", "20", "tests.bench.plain:app"]
        return self.part("rival", command, f"http://127.0.0.1:{port}/empty", BENCH_BROKER=broker.url), port


@contextmanager
def bench(**changes: object) -> Iterator[Bench]:
    """Servers with nothing in them; `changes` are settings."""
    with (
        tempfile.TemporaryDirectory(prefix="atl-bench-") as folder,
        durable() as state,
        forgetful() as broker,
    ):
        values = {
            "home": Path(folder) / "home",
            "redis_url": state.url,
            "broker_url": broker.url,
            "storage_url": (Path(folder) / "artifacts").as_uri(),
            "catalog": str(FAKE_CATALOG),
            "device": "cpu",
            "port": free_port(),
            "max_queued_per_owner": OWNER_LIMIT,
            "max_queued": OWNER_LIMIT,
            **changes,
        }
        yield Bench(Path(folder), state, broker, Settings.model_validate(values))


@contextmanager
def durable() -> Iterator[StateServer]:
    """A Valkey that syncs every write, with the options of the embedded one."""
    yield from _server(DURABLE)


@contextmanager
def forgetful() -> Iterator[StateServer]:
    """A Valkey that writes nothing down."""
    yield from _server(FORGETFUL)


def _server(options: tuple[str, ...]) -> Iterator[StateServer]:
    server = StateServer(valkey_program(), options).start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def running(*parts: Part) -> Iterator[None]:
    """These, ready, until the block ends."""
    try:
        for part in parts:
            part.start()
        for part in parts:
            part.wait_until_ready()
        yield
    finally:
        for part in reversed(parts):
            part.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=2).is_success
    except httpx.TransportError:
        return False
