"""`atelier up`: embedded servers, API and workers on one machine, kept alive until it is told to stop."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Final, TypeVar

from atelier.errors import AtelierError
from atelier.part import OWN_CODE_ONLY, Backoff, Part, tail, trim
from atelier.ports import free_port, local_url, port_is_free
from atelier.transport import Transport
from infra.embedded import EmbeddedServers, HomeLock, Instance, clear_instance, write_instance
from infra.errors import ServerStartError
from infra.settings import Settings

LOOK: Final = 0.2  # seconds between two looks at the parts
TRIM_SECONDS: Final = 10.0  # between two looks at the logs
START_SECONDS: Final = 120.0  # longest time until the API answers
DEATHS_BEFORE_READY: Final = 3  # what has died so often without ever serving will not get better
MISTAKE: Final = 2  # a part's exit status when a person must change something first
API_STOP_SECONDS: Final = 15.0  # it gives requests in flight ten seconds
STOP_MARGIN: Final = 15.0  # seconds that a worker may take on top of its drain time

T = TypeVar("T")
Say = Callable[[str], None]


class CannotStart(Exception):
    """The stack does not start; the message says why and what to do."""


class PortTaken(CannotStart):
    """Another program listens on this port."""


def run(settings: Settings, workers: int, say: Say) -> None:
    """Start everything, stay until SIGINT or SIGTERM. Raises CannotStart, or HomeInUse if it runs already."""
    port = settings.port or _checked(free_port, settings.host)
    settings = settings.model_copy(update={"port": port})
    with ExitStack() as stack:
        stack.enter_context(_locked(settings, port))
        clear_instance(settings.home)  # what a killed one has left would be believed while we hold the lock
        stack.callback(clear_instance, settings.home)
        if not _checked(port_is_free, settings.host, port):
            raise PortTaken(
                f"port {port} of {settings.host} is taken. "
                "Choose another with `atelier up --port N`; `--port 0` takes a free one."
            )
        supervisor = Supervisor(settings, workers, say)
        stack.callback(supervisor.stop)
        supervisor.start()
        supervisor.keep_alive()


@contextmanager
def _locked(settings: Settings, port: int) -> Iterator[None]:
    """Hold the home; CannotStart where it cannot be written."""
    lock = HomeLock(settings.home)
    try:
        lock.acquire(local_url(settings.host, port))
    except OSError as error:
        raise CannotStart(
            f"cannot use {settings.home}: {error.strerror}. Choose another ATELIER_HOME."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _checked(ask: Callable[..., T], host: str, *more: int) -> T:
    """The answer about a port, or CannotStart where this machine cannot listen on that address at all."""
    try:
        return ask(host, *more)
    except OSError as error:
        raise CannotStart(f"cannot listen on {host}: {error.strerror}. See --host and --port.") from error


@dataclass
class Supervisor:
    """Holds the parts of one running stack; `start`, `keep_alive` and `stop` are its life."""

    settings: Settings
    workers: int
    say: Say
    _parts: list[Part] = field(default_factory=list)
    _servers: EmbeddedServers | None = None
    _servers_backoff: Backoff = field(default_factory=Backoff)
    _servers_due: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _signals: int = 0

    @property
    def url(self) -> str:
        """Where people find the API on this machine."""
        return local_url(self.settings.host, self.settings.port)

    def start(self) -> None:
        """Start all parts and return once the API answers."""
        self._listen_to_signals()
        self.settings.places.logs.mkdir(parents=True, exist_ok=True)
        self.say(f"home {self.settings.home}, logs in {self.settings.places.logs}")
        self._start_servers()
        self._parts = [self._api(), *(self._worker(number) for number in range(1, self.workers + 1))]
        for part in self._parts:
            part.start()
            self.say(f"{part.name} starting")
        self._wait_until_ready()

    def keep_alive(self) -> None:
        """Start again what dies, until a signal says stop."""
        trim_at = 0.0
        while not self._stop.wait(LOOK):
            self._mend()
            if time.monotonic() >= trim_at:
                trim_at = time.monotonic() + TRIM_SECONDS
                self._trim_logs()

    def stop(self) -> None:
        """End the parts in order: workers hand in or give back their jobs, then the API, then the servers."""
        api, workers = self._parts[:1], self._parts[1:]
        if workers:
            self.say(
                "stopping the workers; a running job may finish or is given back (Ctrl-C again: at once)"
            )
        self._stop_parts(workers)
        self._stop_parts(api)
        if self._servers is not None:
            self._servers.stop()
        self.say("stopped")

    def _trim_logs(self) -> None:
        for log in self.settings.places.logs.glob("*.log"):
            with suppress(OSError):  # a full disk, say; the servers go on
                trim(log)

    # Starting

    def _start_servers(self) -> None:
        """The embedded servers, unless the settings name others."""
        if self.settings.redis_url:
            self.say("state server: the one of ATELIER_REDIS_URL")
            return
        self._servers = EmbeddedServers(self.settings.home)
        state, broker = self._servers.start()
        self._servers_backoff.started()
        self.settings = self.settings.model_copy(update={"redis_url": state, "broker_url": broker})
        self.say("state server and broker up (embedded)")

    def _api(self) -> Part:
        return self._part("api", ["-m", "api"], API_STOP_SECONDS)

    def _worker(self, number: int) -> Part:
        return self._part(f"worker-{number}", ["-m", "workers"], self.settings.drain_seconds + STOP_MARGIN)

    def _part(self, name: str, arguments: Sequence[str], stop_seconds: float) -> Part:
        log = self.settings.places.logs / f"{name}.log"
        environment = {**self._threads(), **os.environ, **OWN_CODE_ONLY, **self.settings.environ()}
        return Part(name, [sys.executable, *arguments], environment, log, stop_seconds)

    def _threads(self) -> dict[str, str]:
        """Several workers share the cores; each would else take all of them and wait for the others."""
        if self.workers <= 1:
            return {}
        return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // self.workers))}

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._stop.wait(LOOK):
            self._mend()
            if is_ready(self.url):
                self._publish()
                self.say(f"ready {self.url}")
                return
            self._give_up_on_hopeless_parts()
            if time.monotonic() > deadline:
                words = _last_words(self._parts[0])
                raise CannotStart(f"the API did not answer for {START_SECONDS:.0f} s. {words}")

    def _give_up_on_hopeless_parts(self) -> None:
        for part in self._parts:
            if part.last_status == MISTAKE or part.backoff.deaths >= DEATHS_BEFORE_READY:
                raise CannotStart(f"{part.name} does not start. {_last_words(part)}")

    def _publish(self) -> None:
        """Tell other processes on this home what runs where."""
        pids = {part.name: part.pid for part in self._parts if part.pid is not None}
        pids |= self._servers.pids if self._servers else {}
        addresses = self.settings.state_address, self.settings.broker_address
        write_instance(self.settings.home, Instance(self.url, os.getpid(), *addresses, pids))

    # Keeping alive

    def _mend(self) -> None:
        """Look at every part once; start what is due."""
        self._mend_servers()
        for part in self._parts:
            if (status := part.died()) is not None:
                self.say(f"{part.name} ended, status {status}; again in {part.pause:.1f} s; see {part.log}")
            elif part.due():
                part.start()
                self._publish()

    def _mend_servers(self) -> None:
        if self._servers is None or time.monotonic() < self._servers_due:
            return
        try:
            restarted = self._servers.ensure()
        except ServerStartError as error:
            self._servers_due = time.monotonic() + self._servers_backoff.died()
            self.say(f"{error} Trying again.")
            return
        if restarted:
            self._servers_due = time.monotonic() + self._servers_backoff.died()
            self._servers_backoff.started()
            self._publish()
            self.say(f"{' and '.join(restarted)} server had ended; started again")

    # Stopping

    def _stop_parts(self, parts: Sequence[Part]) -> None:
        for part in parts:
            part.ask_to_stop()
        asked = time.monotonic()
        for part in parts:
            if not part.wait_stopped(asked + part.stop_seconds):
                self.say(f"{part.name} did not end within {part.stop_seconds:.0f} s and was killed")

    def _listen_to_signals(self) -> None:
        def on_signal(number: int, frame: FrameType | None) -> None:
            self._signals += 1
            self._stop.set()
            if self._signals == 2:
                for worker in self._parts[1:]:  # to a worker the second one means: give the job back now
                    worker.ask_to_hurry()
            elif self._signals > 2:
                raise KeyboardInterrupt  # the tethers kill what is left

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # under nohup
            signal.signal(number, on_signal)


def is_ready(url: str) -> bool:
    """Whether a server answers there and has all that it needs; asks once."""
    transport = Transport(url, "", retries=0)
    try:
        transport.call("GET", "/readyz")
    except AtelierError:
        return False
    finally:
        transport.close()
    return True


def _last_words(part: Part) -> str:
    return f"The end of {part.log}:\n{tail(part.log)}"
