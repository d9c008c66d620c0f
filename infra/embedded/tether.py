"""Runs one command that must not outlive the process that started it.

`start(command)` puts this file between the two as a small process of its own. When its standard input closes,
because the starter closed it or died in any way, the command's whole process group is killed. Should this
process itself be killed, the kernel kills the command (Linux only). SIGTERM, SIGINT and SIGHUP are passed on;
the exit code is the command's, or 128 + n after signal n.

It runs without site-packages (`-I -S`), in about 15 ms, so only the standard library may be imported here.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PR_SET_PDEATHSIG = 1


def start(command: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
    """Start `command` on a tether; `options` as for Popen. Signals to the process returned reach the command.

    It stands in a session of its own, so that Ctrl-C in a terminal reaches only the starter, which then stops
    its children in order.
    """
    arguments = [sys.executable, "-I", "-S", __file__, "--", *command]
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, start_new_session=True, **options)


def run(command: Sequence[str]) -> int:
    """Run `command` until it ends or standard input closes; its exit code."""
    signals = _signal_pipe()
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_death_with_parent(),  # noqa: PLW1509 - this process has one thread
    )
    try:
        while child.poll() is None:
            ready, _, _ = select.select([sys.stdin.fileno(), signals], [], [])
            if signals in ready:
                _pass_on(os.read(signals, 512), child)
            if sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 512):
                break
    finally:
        _kill_group(child)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _signal_pipe() -> int:
    """A descriptor on which each signal that we handle, and each child's end, arrives as one byte."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (*PASSED_ON, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return reading


def _pass_on(numbers: bytes, child: "subprocess.Popen[bytes]") -> None:
    for number in numbers:
        if number in PASSED_ON:
            child.send_signal(number)


def _kill_group(child: "subprocess.Popen[bytes]") -> None:
    """The command leads its group: what it started and left behind goes with it."""
    with contextlib.suppress(
        ProcessLookupError, PermissionError
    ):  # macOS answers EPERM for a group of zombies
        os.killpg(child.pid, signal.SIGKILL)


def _death_with_parent() -> Callable[[], None] | None:
    """What a child calls before exec so that the kernel kills it when this process ends; None elsewhere."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None, use_errno=True), os.getpid()

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] != "--":
        sys.exit("usage: tether.py -- COMMAND [ARGUMENT ...]")
    sys.exit(run(sys.argv[2:]))
