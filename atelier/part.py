"""One process that `atelier up` keeps alive, tethered so that it cannot outlive it."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from infra.embedded import tether

OWN_CODE_ONLY: Final = {"PYTHONSAFEPATH": "1"}
"""For a program and all that it starts: `python -m` would look in the folder that one stands in first, where
a package of the same name, or a file that calls itself `json.py`, would be run."""

FIRST_PAUSE: Final = (
    0.5  # seconds before a part that died is started again; doubled each time, up to LONGEST_PAUSE
)
LONGEST_PAUSE: Final = 30.0
LONGEST_LOG: Final = 64 * 1024 * 1024  # bytes
HEALTHY_AFTER: Final = 30.0  # seconds of life after which the next death counts as the first again


@dataclass
class Backoff:
    """How long to wait before something that died is started again."""

    deaths: int = 0
    _started: float = 0.0

    def started(self) -> None:
        self._started = time.monotonic()

    def died(self) -> float:
        """Count one death; the seconds to wait before the next start."""
        lived = time.monotonic() - self._started
        self.deaths = 1 if lived > HEALTHY_AFTER else self.deaths + 1
        return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (self.deaths - 1))


@dataclass
class Part:
    """A program of ours on a tether: it is killed when this process ends, however it ends.

    name: for messages. environment: all of its variables. stop_seconds: how long it may take to end after
    SIGTERM. last_status: the exit status of its last death; None before the first.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    stop_seconds: float
    backoff: Backoff = field(default_factory=Backoff)
    last_status: int | None = None
    _process: "subprocess.Popen[bytes] | None" = None
    _start_at: float = 0.0

    def start(self) -> None:
        """Start it, its output appended to its log."""
        with self.log.open("ab") as log:
            self._process = tether.start(self.command, stdout=log, stderr=log, env=dict(self.environment))
        self.backoff.started()

    def died(self) -> int | None:
        """Its exit status if it has ended by itself since the last look; plans the next start."""
        if self._process is None or (status := self._process.poll()) is None:
            return None
        self._forget()
        self.last_status = status
        self._start_at = time.monotonic() + self.backoff.died()
        return status

    def due(self) -> bool:
        """Whether it is down and its pause is over."""
        return self._process is None and time.monotonic() >= self._start_at

    @property
    def pause(self) -> float:
        """Seconds until it may be started again."""
        return max(0.0, self._start_at - time.monotonic())

    @property
    def pid(self) -> int | None:
        """The tether's process id."""
        return None if self._process is None else self._process.pid

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def ask_to_hurry(self) -> None:
        """After `ask_to_stop`, and by another signal: two of the same that come close together are one."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def wait_stopped(self, deadline: float) -> bool:
        """Wait for its end until `deadline` (time.monotonic), then cut its tether; False if it had to."""
        if self._process is None:
            return True
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
            return True
        except subprocess.TimeoutExpired:
            return False
        finally:
            self._cut()

    def _cut(self) -> None:
        """Close the pipe, at which the tether kills what is left, and reap the tether."""
        if self._process is None:
            return
        process = self._process
        self._forget()
        process.wait()

    def _forget(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None


def trim(log: Path, longest: int = LONGEST_LOG) -> None:
    """Begin a log anew that has become longer; what it held goes to a file beside it, over what was there.

    Who writes it appends, and so goes on at its new beginning.
    """
    if log.stat().st_size > longest:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, for a message about what went wrong."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
