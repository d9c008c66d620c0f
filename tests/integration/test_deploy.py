"""The compose file's own commands, started natively with its own variables against real servers."""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import yaml

from infra.connections import check_durable, connect
from tests.servers import S3Server, StateServer, free_port, valkey_program, wait_for

ROOT = Path(__file__).parents[2]
FAKE_FAMILY = ROOT / "tests/fake_family"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
START_SECONDS = 60.0
STOP_SECONDS = 60.0


@dataclass
class Deployment:
    """Where the started services are, and with which keys."""

    api_port: int
    worker_port: int
    api_key: str
    scraper_key: str

    def request(self, path: str, body: Any = None, key: str = "", wait: int = 0) -> bytes:
        """The answer of the API, held for `wait` seconds at most; `body` makes it a POST."""
        headers = {"Authorization": f"Bearer {key or self.api_key}", "Content-Type": "application/json"}
        if wait:
            headers["Prefer"] = f"wait={wait}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"http://127.0.0.1:{self.api_port}{path}", data, headers)  # ours
        with urlopen(request, timeout=70) as response:  # noqa: S310
            content: bytes = response.read()
        return content


def words(command: list[str], values: dict[str, str]) -> list[str]:
    """A service's command as its container would run it."""
    filled = [_filled(part, values) for part in command]
    return [word.strip('"') for part in filled for word in part.split(" ", 1)]


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"${{{name}:?}}", value)
    return text


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what new_secrets.py writes."""
    folder = tmp_path_factory.mktemp("deployment")
    runpy.run_path(str(ROOT / "infra/deploy/new_secrets.py"))["main"](folder)
    return folder


@pytest.fixture(scope="module")
def valkey_as_composed(secrets: Path) -> Iterator[tuple[StateServer, dict[str, str]]]:
    values = dict(line.split("=", 1) for line in (secrets / ".env").read_text().splitlines())
    program, *options = words(SERVICES["valkey"]["command"], values)
    assert program == "valkey-server"
    (mounted,) = SERVICES["valkey"]["secrets"]
    there = f"/run/secrets/{mounted}"
    assert there in options
    options[options.index(there)] = str(secrets / COMPOSE["secrets"][mounted]["file"])
    server = _Locked(valkey_program(), options=tuple(options), port=free_port())
    server.password = values["VALKEY_PASSWORD"]
    server.start()
    yield server, values
    server.stop()


class _Locked(StateServer):
    """A state server that asks for a password."""

    password = ""

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"


@pytest.fixture(scope="module")
def deployment(
    valkey_as_composed: tuple[StateServer, dict[str, str]],
    s3_rclone: S3Server,
    secrets: Path,
) -> Iterator[Deployment]:
    valkey, values = valkey_as_composed
    tmp_path = secrets
    api_port, worker_port = free_port(), free_port()
    local = {
        "ATELIER_REDIS_URL": valkey.url,
        "ATELIER_STORAGE_URL": s3_rclone.url(),
        "ATELIER_HOST": "127.0.0.1",
        "ATELIER_PORT": str(api_port),
        "ATELIER_WORKER_METRICS_PORT": str(worker_port),
        "ATELIER_BOOTSTRAP_KEY_FILE": str(tmp_path / "secrets/bootstrap_key"),
        "ATELIER_SCRAPER_KEY": values["SCRAPER_KEY"],
    }
    with ExitStack() as running:
        for service in ("api", "worker-cpu"):
            running.enter_context(_started(service, local, tmp_path / service))
        yield Deployment(
            api_port, worker_port, (tmp_path / "secrets/bootstrap_key").read_text(), values["SCRAPER_KEY"]
        )


class _started:  # noqa: N801  # reads as a verb in `with`
    """One of our services, started by its own command; it must end well when it is told to."""

    def __init__(self, service: str, local: dict[str, str], folder: Path) -> None:
        folder.mkdir()
        given = SERVICES[service]["environment"]
        home = {"ATELIER_HOME": str(folder / "home"), "ATELIER_METRICS_DIR": str(folder / "metrics")}
        adapted = {
            name: {**local, **home}[name] for name in given
        }  # KeyError: a variable that nobody adapted
        self.environment = {
            **os.environ,
            **adapted,
            "ATELIER_CATALOG": str(FAKE_FAMILY / "catalog.toml"),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{FAKE_FAMILY}",
        }
        program, *rest = SERVICES[service]["command"]
        self.command = [str(Path(sys.executable).with_name(program)), *rest]
        self.log = folder / "log"

    def __enter__(self) -> None:
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=self.environment
            )

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            assert self.process.wait(STOP_SECONDS) == 0, self.log.read_text()
        finally:
            self.process.kill()


def reachable(deployment: Deployment, path: str) -> bool:
    try:
        deployment.request(path)
    except OSError:
        return False
    return True


def test_valkey_is_durable_as_composed(valkey_as_composed: tuple[StateServer, dict[str, str]]) -> None:
    client = connect(valkey_as_composed[0].url)
    assert check_durable(client, "safe") == "always"
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    client.close()


def test_a_job_goes_through_the_composed_services(deployment: Deployment) -> None:
    wait_for(lambda: reachable(deployment, "/readyz"), START_SECONDS, "the API")

    job = json.loads(
        deployment.request(
            "/v1/jobs",
            {"kind": "text-to-image", "model": "test/fake", "inputs": {"prompt": "steps=2 sleep=0.1"}},
        )
    )
    job = json.loads(deployment.request(f"/v1/jobs/{job['id']}", wait=60))  # the worker may still be starting

    assert job["status"] == "succeeded", job
    picture = deployment.request(f"/v1/jobs/{job['id']}/artifacts/0.png")
    assert picture.startswith(b"\x89PNG")


def test_prometheus_can_scrape_both(deployment: Deployment) -> None:
    wait_for(lambda: reachable(deployment, "/readyz"), START_SECONDS, "the API")

    api = deployment.request("/metrics", key=deployment.scraper_key).decode()
    assert "atelier_workers" in api
    wait_for(lambda: _worker_metrics(deployment), START_SECONDS, "the worker's metrics")
    assert "atelier_claims_total" in _worker_metrics(deployment)


def _worker_metrics(deployment: Deployment) -> str:
    try:
        with urlopen(f"http://127.0.0.1:{deployment.worker_port}/metrics", timeout=5) as response:
            return str(response.read().decode())
    except OSError:
        return ""
