"""Real servers for tests, each in a folder of its own and ended with the test process, however that ends."""

import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psutil
import pytest
import redis

from infra.connections import connect
from infra.embedded import tether
from infra.embedded.binary import find_server
from infra.embedded.servers import COMPACT

START_SECONDS = 20.0
STALL_SECONDS = 10.0
"""How long a state server may stand still, as while a busy disk syncs, before a test's own look fails."""

DURABLE = ("--appendonly", "yes", "--appendfsync", "always", *COMPACT)
FORGETFUL = ("--appendonly", "no")
S3_ACCESS, S3_SECRET = "test-access", "test/secret+key"

kept: set[int] = set()
"""Process ids of servers that live for the whole session; the leak check leaves them alone."""


SET_HERE = ("ATELIER_", "HF_", "TRANSFORMERS_")
"""How settings begin that the machine, or a family that was loaded in this process, may have made."""


def clean_environment() -> dict[str, str]:
    """The environment for a command that must find none of them."""
    return {name: value for name, value in os.environ.items() if not name.startswith(SET_HERE)}


def missing(what: str) -> None:
    """Skip here, fail in CI: a service that CI lacks would let its tests rot unseen."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI must have it")
    pytest.skip(f"{what} is missing")


def quickest(call: Callable[[], float], enough: float, tries: int = 3) -> float:
    """The least of the seconds that `call` gives, which are tried for until they are less than `enough`: what
    else the machine does only adds to them."""
    least = math.inf
    for _ in range(tries):
        least = min(least, call())
        if least < enough:
            break
    return least


def wait_for(condition: Callable[[], object], seconds: float = 10.0, what: str = "the condition") -> None:
    """Return once `condition()` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {seconds} s")
        time.sleep(0.01)


def free_port() -> int:
    """A TCP port on loopback that nobody used a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def freeze(pid: int) -> None:
    """Stop a process, and wait until it has stopped: until then it may still answer."""
    process = psutil.Process(pid)
    process.suspend()
    wait_for(lambda: process.status() == psutil.STATUS_STOPPED, what=f"the stop of process {pid}")


@dataclass
class StateServer:
    """A Valkey or Redis of one's own, that a test may hang, kill and start again on the same data."""

    program: str
    options: tuple[str, ...] = DURABLE
    port: int = 0
    """0: unix socket only."""
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="atl-")))
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "s.sock"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}" if self.port else f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """Process id of the server itself, not of its tether."""
        return int((self.folder / "pid").read_text())

    def client(self, *, decode: bool = True) -> redis.Redis:
        """A client for the test's own looks; `connect` gives one with our processes' bounds."""
        return connect(self.url, timeout=STALL_SECONDS, decode=decode)

    def start(self, seconds: float = START_SECONDS) -> "StateServer":
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        self.socket.unlink(missing_ok=True)
        places = {"--unixsocket": self.socket, "--pidfile": self.folder / "pid", "--dir": data}
        placed = [str(word) for pair in places.items() for word in pair]
        common = ["--port", str(self.port), "--save", "", "--logfile", str(self.folder / "log")]
        self.process = tether.start([self.program, *common, *placed, *self.options])
        wait_for(self._answers, seconds, f"{self.program}, logging to {self.folder}/log,")
        return self

    def freeze(self) -> None:
        """Hang it: connections stay open and nothing is answered."""
        freeze(self.pid)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it as a loss of power would end the process; `start` again finds what was on disk."""
        os.kill(self.pid, signal.SIGKILL)
        self.join()

    def stop(self) -> None:
        """End it and remove its data."""
        if self.process is not None:
            assert self.process.stdin is not None
            self.process.stdin.close()  # the tether kills it, even when it is frozen
            self.join()
        shutil.rmtree(self.folder)

    def join(self) -> None:
        """Wait for its end, by whatever it ends."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.wait(10)
        self.process.stdin.close()
        self.process = None

    def _answers(self) -> bool:
        try:
            return bool(connect(self.url, retries=0).ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False


def valkey_program() -> str:
    """The wheel's Valkey, which the embedded services use."""
    return find_server()


def redis_program() -> str:
    """Debian's Redis 7.0, the oldest server that the tests run on."""
    program = shutil.which("redis-server")
    if program is None:
        missing("redis-server")
    assert program is not None
    return program


@dataclass(frozen=True)
class S3Server:
    """An S3 server of the test's own."""

    port: int
    process: subprocess.Popen[bytes]

    def url(self, bucket: str = "") -> str:
        """Storage URL; without a name, of a bucket that nobody has used yet."""
        bucket = bucket or f"b{uuid4().hex[:16]}"
        return f"s3+http://{S3_ACCESS}:{quote(S3_SECRET, safe='')}@127.0.0.1:{self.port}/{bucket}"

    def freeze(self) -> None:
        """Hang it: connections stay open and nothing is answered."""
        freeze(self.process.pid)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def start_rclone(folder: Path) -> S3Server:
    """`rclone serve s3` over `folder`; each of its folders is a bucket."""
    rclone = Path(sys.executable).with_name("rclone")
    if not rclone.exists():
        missing("rclone")
    key = f"{S3_ACCESS},{S3_SECRET}"
    environment = os.environ | {"RCLONE_CONFIG": os.devnull}
    return _start_s3(
        lambda port: [
            str(rclone),
            "serve",
            "s3",
            "--addr",
            f"127.0.0.1:{port}",
            "--auth-key",
            key,
            str(folder),
        ],
        folder.with_suffix(".log"),
        environment,
    )


def start_moto(folder: Path) -> S3Server:
    """moto's S3, a second reading of the protocol."""
    return _start_s3(
        lambda port: [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        folder.with_suffix(".log"),
        dict(os.environ),
    )


def _start_s3(command: Callable[[int], Sequence[str]], log: Path, environment: dict[str, str]) -> S3Server:
    port = free_port()
    with log.open("wb") as file:
        process = subprocess.Popen(command(port), stdout=file, stderr=file, env=environment)
    server = S3Server(port, process)
    wait_for(
        lambda: _listens(port) or process.poll() is not None, START_SECONDS, f"the server logging to {log}"
    )
    if process.poll() is not None:
        pytest.fail(f"the S3 server did not start:\n{log.read_text()}")
    return server


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
