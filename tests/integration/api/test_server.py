"""The server process: what it refuses to start on, how it ends, what it weighs, what it never loads."""

# ruff: noqa: E501 - tables of cases, and signatures with their fixtures

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from infra.settings import Settings
from tests.integration.api.support import CATALOG, ROOT, ApiServer, submitted
from tests.servers import StateServer, free_port, wait_for

MEMORY = 120 * 2**20


def attempt(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Start a server that must refuse."""
    return subprocess.run(
        [sys.executable, "-m", "api", *arguments],
        env=os.environ | settings.environ(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_a_port_that_is_taken(settings: Callable[..., Settings], valkey: StateServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = attempt(settings(redis_url=valkey.url), "--port", str(port))
    assert done.returncode == 2
    assert f"Port {port} on 127.0.0.1 is taken" in last_words(done)
    assert "--port" in last_words(done)


@pytest.mark.parametrize(("arguments", "words"), [
    (("--host", "203.0.113.7"), "Cannot listen"), (("--host", "no.such.host.invalid"), "Cannot listen"), (("--port", "70000"), "ATELIER_PORT"),
])  # fmt: skip
def test_an_address_that_cannot_be_had(
    settings: Callable[..., Settings], valkey: StateServer, arguments: tuple[str, ...], words: str
) -> None:
    done = attempt(settings(redis_url=valkey.url), *arguments)
    assert done.returncode == 2
    assert words in last_words(done)


def test_a_state_server_that_would_forget(
    settings: Callable[..., Settings], start_server: Callable[..., StateServer]
) -> None:
    forgetful = start_server(options=("--appendonly", "no"))
    done = attempt(settings(redis_url=forgetful.url, port=free_port()))
    assert done.returncode == 2
    assert "append-only file is off" in last_words(done)
    assert "appendonly yes" in last_words(done)


def test_a_state_server_that_would_forget_may_be_accepted(
    start_api: Callable[..., ApiServer], start_server: Callable[..., StateServer]
) -> None:
    forgetful = start_server(options=("--appendonly", "no"))
    with start_api(redis_url=forgetful.url, durability="fast").client() as client:
        submitted(client)


def test_no_state_server(settings: Callable[..., Settings], tmp_path: Any) -> None:
    done = attempt(settings(redis_url=f"unix://{tmp_path}/none.sock", port=free_port()))
    assert done.returncode == 1
    assert "state server does not answer" in last_words(done)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
def test_beyond_loopback_without_a_key(
    settings: Callable[..., Settings], valkey: StateServer, host: str
) -> None:
    done = attempt(settings(redis_url=valkey.url, host=host, port=free_port()))
    assert done.returncode == 2
    assert "needs an API key" in last_words(done)
    assert "ATELIER_BOOTSTRAP_KEY_FILE" in last_words(done)


def test_a_bootstrap_key_that_is_none(
    settings: Callable[..., Settings], valkey: StateServer, tmp_path: Any
) -> None:
    (tmp_path / "key").write_text("secret")
    done = attempt(settings(redis_url=valkey.url, bootstrap_key_file=tmp_path / "key", port=free_port()))
    assert done.returncode == 2
    assert "secret" not in done.stderr


def test_a_process_that_dies_is_replaced(
    start_api: Callable[..., ApiServer], valkey: StateServer, broker: StateServer
) -> None:
    server = start_api(redis_url=valkey.url, broker_url=broker.url)
    (served,) = server.serving()
    served.send_signal(signal.SIGKILL)
    wait_for(lambda: server.serving() not in ([], [served]), 20, "another process")
    wait_for(server._serves, 20, "the API")
    assert "Traceback" not in server.log


def test_several_processes_share_the_port(
    start_api: Callable[..., ApiServer], valkey: StateServer, broker: StateServer, tmp_path: Any
) -> None:
    server = start_api(
        redis_url=valkey.url, broker_url=broker.url, api_processes=2, metrics_dir=str(tmp_path / "metrics")
    )
    wait_for(lambda: len(server.serving()) == 2, 20, "two processes")
    with server.client() as client:
        for _ in range(5):
            submitted(client)
        counted = 'atelier_jobs_submitted_total{kind="text-to-image",model="test/fake"} 5.0'
        assert counted in client.get("/metrics").text


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_quietly(
    start_api: Callable[..., ApiServer], valkey: StateServer, broker: StateServer, how: int
) -> None:
    server = start_api(redis_url=valkey.url, broker_url=broker.url)
    with server.client() as client:
        submitted(client)  # and leaves an idle connection behind
        assert server.process is not None
        server.process.send_signal(how)
        assert server.process.wait(15) == 0
    assert "Traceback" not in server.log
    assert '"level": "error"' not in server.log


def test_its_weight(start_api: Callable[..., ApiServer], valkey: StateServer, broker: StateServer) -> None:
    server = start_api(redis_url=valkey.url, broker_url=broker.url)
    with server.client() as client:
        for _ in range(50):
            client.get(submitted(client)["urls"]["self"])
        client.get("/docs")
        client.get("/openapi.json")
        client.get("/metrics")
        (served,) = server.serving()
        resident = served.memory_info().rss
    print(f"resident: {resident / 2**20:.0f} MiB")
    assert resident < MEMORY


def test_torch_is_never_loaded(valkey: StateServer, settings: Callable[..., Settings]) -> None:
    script = """
import sys
import api
assert not {"flask", "redis", "pydantic"} & set(sys.modules), "import api loads nothing yet"
app = api.create_app()
client = app.test_client()
job = {"kind": "text-to-image", "model": "test/fake", "inputs": {"prompt": "x"}}
assert client.post("/v1/jobs", json=job).status_code == 202
for path in ("/v1/models", "/v1/kinds", "/openapi.json", "/docs", "/metrics"):
    assert client.get(path).status_code == 200, path
heavy = {"torch", "diffusers", "transformers", "numpy"} & set(sys.modules)
assert not heavy, heavy
"""
    environ = os.environ | settings(redis_url=valkey.url, catalog=str(CATALOG)).environ()
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
