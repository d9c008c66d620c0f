"""Ends a server that a crash has left on our socket: two servers on one append-only file would spoil it.

The tether makes this rare; it remains for machines without PR_SET_PDEATHSIG. The caller holds the HomeLock.
"""

from pathlib import Path

import psutil

from infra.errors import ServerStartError

END_SECONDS = 10.0


def end_leftover(socket: Path, pidfile: Path) -> None:
    """End the process named by `pidfile` if it serves `socket`; ask first, then kill."""
    process = _server_of(socket, pidfile)
    if process is not None:
        _end(process)
    pidfile.unlink(missing_ok=True)
    socket.unlink(missing_ok=True)


def _server_of(socket: Path, pidfile: Path) -> psutil.Process | None:
    """The process of `pidfile`, if its title still names our socket: the number may be another's by now."""
    try:
        process = psutil.Process(int(pidfile.read_text()))
        return process if str(socket) in " ".join(process.cmdline()) else None
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _end(process: psutil.Process) -> None:
    for ask in (process.terminate, process.kill):
        try:
            ask()
            process.wait(END_SECONDS)
        except psutil.NoSuchProcess:
            return
        except psutil.TimeoutExpired:
            continue
        else:
            return
    raise ServerStartError(f"Process {process.pid} of an earlier run does not end; stop it and try again.")
