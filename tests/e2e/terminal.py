"""A command at a terminal: what a person sees, and the keys that they press."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.stack import ATELIER

#: Makes the terminal on its standard input its own, so that Ctrl-C reaches what it becomes, also where the
#: tests run in a shell's background, which ignores it.
TAKE_TERMINAL = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
CTRL_C = "\x03"


class Terminal:
    """`atelier …` with a terminal as input and output; `seen` is everything that was written to it."""

    def __init__(self, *arguments: str, environment: dict[str, str], cwd: Path) -> None:
        self._master, slave = pty.openpty()
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, *ATELIER, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment | {"TERM": "xterm"},
            cwd=cwd,
        )
        os.close(slave)

    def read_until(self, pattern: str, seconds: float = 20.0) -> str:
        """Read on until the pattern is there; what was read in all."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            assert time.monotonic() < deadline, f"{pattern!r} is not in {self.seen!r}"
            if not self._read(0.1) and self.process.poll() is not None:
                self._read(0.1)
                break
        assert re.search(pattern, self.seen), f"{pattern!r} is not in {self.seen!r}"
        return self.seen

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self._master, 4096)
        except OSError:  # Linux says so when the other side is closed
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait(self, seconds: float = 20.0) -> int:
        """Read to the end; the exit status."""
        deadline = time.monotonic() + seconds
        while self._read(0.1) or self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end: {self.seen!r}"
        return self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
