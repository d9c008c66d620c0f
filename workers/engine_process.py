"""One engine process as its worker sees it: started with two pipes, its prints logged, ended for good."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from typing import IO, cast

from infra.logs import get_logger
from workers.messages import Receiver, Sender

log = get_logger()

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""Nothing that an engine loads may reach for the network: weights are the operator's."""

DISCREET = {"TRANSFORMERS_VERBOSITY": "error", "DIFFUSERS_VERBOSITY": "error"}
"""Their warnings quote prompts, which must not be logged."""

PATIENT = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
"""Threads of a CPU engine sleep while they wait: spinning, they take the cores from one another and others
processes (measured: up to 7 times slower on two busy cores). What the environment says goes before."""

STEADY = {"MKL_DYNAMIC": "FALSE"}
"""As many threads in every engine of a machine as it is told. MKL takes fewer where it believes that two
cores are halves of one, and another number of threads rounds another way: a seed would give other bits."""

TAKE_SECONDS = 30.0
"""Time for an engine to read an order; a thread of its own does nothing else."""

BREATH_SECONDS = 0.05
"""Lines that follow one another this quickly are one record of the log: a traceback, a table."""

LONGEST_RECORD = 1 << 16  # bytes

LAST_WORDS_SECONDS = 2.0
"""Time for an engine to end by itself, or for SIGABRT to print its stacks, before SIGKILL."""


class EngineProcess:
    """A started engine. The kernel ends it together with the thread that made it, so make it in a lasting
    one.
    """

    def __init__(self, device: str, memory: str) -> None:
        to_engine, to_worker = os.pipe(), os.pipe()
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "workers.engine", f"--parent={os.getpid()}", f"--read={to_engine[0]}",
                f"--write={to_worker[1]}", f"--device={device}", f"--memory={memory}",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=(to_engine[0], to_worker[1]),
            env={**PATIENT, **STEADY, **os.environ, **OFFLINE, **DISCREET},
        )  # fmt: skip
        os.close(to_engine[0])
        os.close(to_worker[1])
        self.sender = Sender(to_engine[1], TAKE_SECONDS)
        self.receiver = Receiver(to_worker[0])
        self._printer = threading.Thread(
            target=_log_prints, args=(cast(IO[bytes], self._process.stdout), self.pid), daemon=True
        )
        self._printer.start()
        log.info("The engine has started", action="engine.started", engine_pid=self.pid, device=device)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> str:
        """End it by closing its pipe, or by force when that is not enough; how it ended, in words."""
        self.sender.close()
        self.receiver.close()
        return self._wait(LAST_WORDS_SECONDS)

    def abort(self) -> str:
        """End it, with its threads' stacks in the log if it can still print them."""
        self._process.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):  # it cannot even do that; then it is killed
            self._process.wait(LAST_WORDS_SECONDS)
        return self.kill()

    def kill(self) -> str:
        """End it at once."""
        self._process.kill()
        return self.close()

    def _wait(self, patience: float) -> str:
        try:
            code = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._printer.join(LAST_WORDS_SECONDS)  # a child of the engine's own may still hold its stdout
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        log.info("The engine has ended", action="engine.ended", engine_pid=self.pid, how=how)
        return how


def _log_prints(stdout: IO[bytes], pid: int) -> None:
    """What libraries print, and tracebacks, into the worker's log."""
    with stdout:
        while first := os.read(stdout.fileno(), LONGEST_RECORD):
            printed = first + _what_follows(stdout.fileno(), LONGEST_RECORD - len(first))
            log.info(
                "The engine printed",
                action="engine.printed",
                engine_pid=pid,
                printed=printed.decode(errors="replace").rstrip(),
            )


def _what_follows(descriptor: int, room: int) -> bytes:
    printed = b""
    while len(printed) < room and select.select([descriptor], [], [], BREATH_SECONDS)[0]:
        chunk = os.read(descriptor, room - len(printed))
        if not chunk:
            break
        printed += chunk
    return printed
