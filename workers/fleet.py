"""Several workers on one machine, one for each device, each a process of its own: started, started again
when one dies, and ended together. None outlives this process, however it ends: each is tethered to it."""

import os
import signal
import subprocess
import sys
import time
from types import FrameType

from infra.embedded import tether
from infra.logs import get_logger
from infra.settings import Settings

log = get_logger()

LOOK_SECONDS = 0.2
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds before a worker is started again
STEADY_SECONDS = 60.0
"""A worker that lived this long is started again after the first pause."""


class Fleet:
    """The workers of some devices; a device may stand in the list more than once."""

    def __init__(self, settings: Settings, devices: list[str]) -> None:
        count = len(devices)
        self._members = [Member(settings, device, place, count) for place, device in enumerate(devices)]
        self._signals: list[int] = []
        """That ask for the end. The handler may come between any two lines of `run`: it only notes them."""

    def run(self) -> int:
        """Keep the workers running until SIGTERM or SIGINT, then wait for their drains; the exit code."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        while not self._signals:
            for member in self._members:
                if not self._signals:
                    member.keep_running()
            time.sleep(LOOK_SECONDS)
        while any(member.running for member in self._members):
            if self._signals:  # one each time: two of the same that come close together would be one
                number = self._signals.pop(0)
                for member in self._members:
                    member.drain(number)
            time.sleep(LOOK_SECONDS)
        return max(member.wait() for member in self._members)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)


class Member:
    """One worker of a fleet: the one at `place` of `count`, with whom it shares the cores and counts up
    ports.
    """

    def __init__(self, settings: Settings, device: str, place: int, count: int) -> None:
        self._environ = {**os.environ, **settings.environ(), "ATELIER_DEVICE": device}
        if device == "cpu":
            self._environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
        if settings.worker_metrics_port:
            self._environ["ATELIER_WORKER_METRICS_PORT"] = str(settings.worker_metrics_port + place)
        self._device = device
        self._process: subprocess.Popen[bytes] | None = None
        self._started = self._due = time.monotonic()
        self._pause = FIRST_PAUSE

    def keep_running(self) -> None:
        """Start the worker if it is not running and its pause is over."""
        if self._process is not None and self._process.poll() is not None:
            self._note_end(self._process.returncode)
        if self._process is None and time.monotonic() >= self._due:
            self._start()

    def drain(self, number: int) -> None:
        """Ask it to end, or, the second time, to hurry; by the signal that asked us."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self) -> int:
        """Its exit code, once it has ended; 0 when it was not running."""
        return abs(self._process.wait()) if self._process is not None else 0

    def _start(self) -> None:
        worker = [sys.executable, "-m", "workers", "--device", self._device]
        self._process = tether.start(worker, env=self._environ)
        self._started = time.monotonic()

    def _note_end(self, code: int) -> None:
        log.warning("A worker has died", action="fleet.worker_died", device=self._device, code=code)
        now = time.monotonic()
        steady = now - self._started > STEADY_SECONDS
        self._pause = FIRST_PAUSE if steady else min(2 * self._pause, LONGEST_PAUSE)
        self._process, self._due = None, now + self._pause
