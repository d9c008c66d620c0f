"""One process that can be killed and comes back on the same address and data; it ends with this process,
however that ends.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from infra.embedded import tether
from tests.servers import wait_for

READY_SECONDS = 60.0


class Part:
    """One process under a tether; `pid` is its own, not the tether's."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environ: dict[str, str],
        log: Path,
        ready: Callable[["Part"], bool],
    ) -> None:
        self.name = name
        self.log = log
        self._due = 0.0
        """By the monotonic clock: not to be started again before."""
        self._command = command
        self._environ = environ
        self._ready = ready
        self._tether: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._lock = threading.RLock()
        """One thread may kill while another one keeps it running."""

    def start(self) -> None:
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._tether = tether.start(self._command, env=self._environ, stdout=log, stderr=log)

    @property
    def running(self) -> bool:
        return self._tether is not None and self._tether.poll() is None

    @property
    def ready(self) -> bool:
        return self.running and self._ready(self)

    def wait_until_ready(self) -> None:
        """Fails as soon as it is clear that it will not be."""
        wait_for(
            lambda: self.ready or not self.running, READY_SECONDS, f"{self.name}, logging to {self.log},"
        )
        if not self.running:
            pytest.fail(f"{self.name} ended at once:\n{self.log_of_this_run()[-2000:]}")

    @property
    def process(self) -> psutil.Process | None:
        """The process itself, if it has come up."""
        if not self.running:
            return None
        assert self._tether is not None
        with suppress(psutil.NoSuchProcess):
            return next(iter(psutil.Process(self._tether.pid).children()), None)
        return None

    def child(self, word: str = "") -> psutil.Process | None:
        """A child of the process, with this word in its command."""
        process = self.process
        with suppress(psutil.NoSuchProcess):
            children = process.children() if process else []
            return next((child for child in children if not word or word in child.cmdline()), None)
        return None

    def kill(self, down_seconds: float) -> None:
        """SIGKILL; it is kept down for so long."""
        with self._lock:
            process = self.process
            if process is None:
                return
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            self._due = time.monotonic() + down_seconds
            self._collect()

    def keep_running(self) -> int | None:
        """Start it again when that is due. The exit code, if it has ended and nobody killed it."""
        with self._lock:
            if self.running:
                return None
            code = self._collect()
            if time.monotonic() >= self._due:
                self.start()
            return code

    def drain(self) -> None:
        """SIGTERM, and its end waited for."""
        if self._tether is not None:
            self._tether.send_signal(signal.SIGTERM)
            self._collect()

    def _collect(self) -> int | None:
        """Wait for the end; the exit code, unless it was collected before."""
        if self._tether is None:
            return None
        code = self._tether.wait(READY_SECONDS)
        assert self._tether.stdin is not None
        self._tether.stdin.close()
        self._tether = None
        return code

    def stop(self) -> None:
        """End it by force."""
        if self._tether is not None:
            assert self._tether.stdin is not None
            self._tether.stdin.close()
            self._tether.wait(READY_SECONDS)
            self._tether = None

    def log_of_this_run(self) -> str:
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    def worker_id(self) -> str | None:
        """How the queue calls this worker, once it has started."""
        return _worker_id(self.log_of_this_run())

    def earlier_worker_id(self) -> str | None:
        """How the queue called the worker that wrote this log before this process began, if any did."""
        return _worker_id(self.log.read_text(errors="replace")) if self.log.exists() else None


def _worker_id(log: str) -> str | None:
    lines = [line for line in log.splitlines() if '"worker.started"' in line]
    return str(json.loads(lines[-1])["worker"]) if lines else None
