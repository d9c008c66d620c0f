"""A whole Atelier as people start it: `atelier up` in a home of its own, with the fake family."""

import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.servers import clean_environment, wait_for

ROOT = Path(__file__).parents[2]
FAKE = ROOT / "tests" / "fake_family"
ATELIER = (sys.executable, "-m", "atelier")
READY_SECONDS = 60.0
STOP_SECONDS = 30.0


def environment(home: Path, **settings: str) -> dict[str, str]:
    """What a command needs to work on this home; nothing that was set here before."""
    fixed = {
        "ATELIER_HOME": str(home),
        "ATELIER_CATALOG": f"{FAKE / 'catalog.toml'}:{Path(__file__).with_name('defaults.toml')}",
        "ATELIER_DEVICE": "cpu",
        "ATELIER_DRAIN_SECONDS": "2",
        "ATELIER_LEASE_SECONDS": "6",
        "ATELIER_BEAT_SECONDS": "2",
        "PYTHONPATH": str(FAKE),
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "120",
    }
    return (
        clean_environment() | fixed | {f"ATELIER_{name.upper()}": value for name, value in settings.items()}
    )


@dataclass
class Stack:
    """One `atelier up`; start it, and stop or kill it, as often as the test likes."""

    home: Path
    workers: int = 1
    settings: dict[str, str] = field(default_factory=dict)
    url: str = ""
    lines: list[str] = field(default_factory=list)
    process: "subprocess.Popen[str] | None" = None

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.home, **self.settings)

    def start(self) -> "Stack":
        self.lines = []
        command = [*ATELIER, "up", "--port", "0", "--workers", str(self.workers)]
        self.process = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        threading.Thread(target=self._read, args=[self.process], daemon=True).start()
        wait_for(lambda: self.said("ready ") or self.ended, READY_SECONDS, "`atelier up` is ready")
        assert not self.ended, "\n".join(self.lines)
        self.url = self.said("ready ")[0].split()[1]
        return self

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self.lines.append(line.rstrip())

    def said(self, start: str) -> list[str]:
        """The lines so far that begin so."""
        return [line for line in self.lines if line.startswith(start)]

    @property
    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    @property
    def pids(self) -> set[int]:
        """`up` and everything under it."""
        assert self.process is not None
        up = psutil.Process(self.process.pid)
        return {up.pid, *(child.pid for child in up.children(recursive=True))}

    def part(self, words: str) -> psutil.Process:
        """The process under `up` whose command line ends with these words."""
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children(recursive=True):
            if " ".join(child.cmdline()).endswith(words) and "tether" not in " ".join(child.cmdline()):
                return child
        raise AssertionError(f"no process {words!r}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit status."""
        if self.process is None:
            return 0
        if not self.ended:
            self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """kill -9 of `up` alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end_at_once(self) -> None:
        """For a test that is over: kill `up`, whose parts follow it."""
        if self.process is None or self.ended:
            return
        pids = self.pids
        self.kill()
        wait_for(lambda: not alive(pids), STOP_SECONDS, "all processes have ended")

    def run(self, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        """Run `atelier …` against this stack until it ends."""
        return subprocess.run(
            [*ATELIER, *arguments],
            env=self.environment | {f"ATELIER_{name.upper()}": value for name, value in settings.items()},
            cwd=self.home.parent,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )


def alive(pids: set[int]) -> set[int]:
    """Those of the processes that still run; zombies do not."""
    return {pid for pid in pids if _runs(pid)}


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
