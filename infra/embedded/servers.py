"""The two private servers of one home: `state`, which forgets nothing, and `broker`, which may forget all."""

import contextlib
import subprocess
import time
from pathlib import Path

import redis

from infra.connections import connect
from infra.embedded import tether
from infra.embedded.binary import find_server
from infra.embedded.leftovers import end_leftover
from infra.errors import ServerStartError
from infra.places import Places, make_private

START_SECONDS = 10.0  # to answer at all; loading a long append-only file may then take LOAD_SECONDS
LOAD_SECONDS = 300.0
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.01

COMMON = ("--port", "0", "--daemonize", "no", "--unixsocketperm", "700", "--maxmemory-policy", "noeviction")
DURABLE = (
    "--appendonly",
    "yes",
    "--appendfsync",
    "always",
    "--no-appendfsync-on-rewrite",
    "no",
    "--save",
    "",
)
COMPACT = ("--hash-max-ziplist-value", "2048")  # a record with a prompt of that length takes half the memory
STATE = (*DURABLE, *COMPACT)
BROKER = ("--appendonly", "no", "--save", "", "--maxmemory", "256mb")


class EmbeddedServer:
    """One private server on a unix socket, ended with this process however that ends."""

    def __init__(self, name: str, socket: Path, folder: Path, log: Path, options: tuple[str, ...]) -> None:
        self.name = name
        self.socket = socket
        self.folder = folder
        self.log = log
        self.options = options
        self.url = f"unix://{socket}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the server itself (not of its tether)."""
        return int(self.pidfile.read_text())

    @property
    def pidfile(self) -> Path:
        return self.socket.with_suffix(".pid")

    def start(self) -> None:
        """Start it, ending first what a crash may have left on its data; returns when it answers."""
        for folder in (self.folder, self.socket.parent, self.log.parent):
            make_private(folder)
        end_leftover(self.socket, self.pidfile)
        self._process = tether.start(self._command())
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ask it to end, then make it end."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):  # then closing the tether kills it
            self._process.wait(STOP_SECONDS)
        assert self._process.stdin is not None  # noqa: S101 - tether.start always makes the pipe
        self._process.stdin.close()
        self._process.wait()
        self._process = None

    def _command(self) -> list[str]:
        places = ("--unixsocket", str(self.socket), "--dir", str(self.folder), "--pidfile", str(self.pidfile))
        return [find_server(), *COMMON, *places, "--logfile", str(self.log), *self.options]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        client = connect(self.url, retries=0)
        while not self._answers(client):
            if not self.alive or time.monotonic() > deadline:
                raise ServerStartError(
                    f"The embedded {self.name} server did not start.\n{self._last_words()}"
                )
            time.sleep(LOOK_SECONDS)
        client.close()

    def _answers(self, client: redis.Redis) -> bool:
        try:
            return bool(client.ping())
        except redis.BusyLoadingError:
            return self._answers_once_loaded(client)
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def _answers_once_loaded(self, client: redis.Redis) -> bool:
        """False when it ends in the midst of it."""
        deadline = time.monotonic() + LOAD_SECONDS
        while self._is_loading(client):
            if time.monotonic() > deadline:
                raise ServerStartError(
                    f"The embedded {self.name} server still loads after {LOAD_SECONDS:.0f} s."
                )
            time.sleep(10 * LOOK_SECONDS)
        return self.alive

    def _is_loading(self, client: redis.Redis) -> bool:
        try:
            return bool(client.info("persistence")["loading"])
        except (redis.ConnectionError, redis.TimeoutError):
            return self.alive  # it may be too busy to answer

    def _last_words(self) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        except FileNotFoundError:
            return "It wrote no log."


class EmbeddedServers:
    """State and broker of one home. Whoever starts them holds its HomeLock."""

    def __init__(self, home: Path) -> None:
        places = Places(home)
        self.state = EmbeddedServer(
            "state", places.state_socket, places.state, places.logs / "state.log", STATE
        )
        self.broker = EmbeddedServer(
            "broker", places.broker_socket, places.run, places.logs / "broker.log", BROKER
        )
        self._servers = (self.state, self.broker)

    def start(self) -> tuple[str, str]:
        """Start both; URLs of state and broker."""
        try:
            for server in self._servers:
                server.start()
        except BaseException:
            self.stop()
            raise
        return self.state.url, self.broker.url

    def ensure(self) -> list[str]:
        """Start again whichever has died; their names ([]: all is well)."""
        dead = [server for server in self._servers if not server.alive]
        for server in dead:
            server.stop()  # its tether's end is still ours to collect
            server.start()
        return [server.name for server in dead]

    def stop(self) -> None:
        """Stop both, the state server last."""
        for server in reversed(self._servers):
            server.stop()

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the servers that are alive, by name."""
        return {server.name: server.pid for server in self._servers if server.alive}
