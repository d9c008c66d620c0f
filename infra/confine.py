"""Takes nearly everything away from this process: it can compute, and use the files that it has open.

A seccomp filter with a positive list: reading and writing open files, memory that cannot be executed, the
clock, and ending. There is no opening of files, no socket, no process or thread, no signal to others; each
such call fails with EPERM. So a decoder that an attacker has taken over finds no network and no file but
those two, and no kernel interface with a history of holes. Landlock and a network namespace would guard
calls that cannot be made any more, so neither is used. Limits of memory, processor time and size bound the
rest, and the process ends with its parent.

Import and open all that is needed first. Nothing of it can be lifted again.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_TSYNC = 1  # threads that a library may have started are confined too
PROT_EXEC = 4
OPEN_FILES = 64
TRIAL_SECONDS = 30

# Classic BPF: the operations used, the three ends, and where `struct seccomp_data` has what they look at.
LOAD, EQUAL, AT_LEAST, HAS_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
KILL, REFUSE, PASS = 0x80000000, 0x00050000 | errno.EPERM, 0x7FFF0000
AT_NUMBER, AT_ARCHITECTURE, AT_THIRD_ARGUMENT = 0, 4, 32
X32 = 0x40000000  # from here on x86-64 counts its calls anew


CALLS = {  # the numbers of what is allowed: x86-64, arm64
    "brk": (12, 214),
    "clock_getres": (229, 114),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "close": (3, 57),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "fstat": (5, 80),
    "fsync": (74, 82),
    "ftruncate": (77, 46),
    "futex": (202, 98),
    "getpid": (39, 172),
    "getrandom": (318, 278),
    "getrusage": (98, 165),
    "gettid": (186, 178),
    "gettimeofday": (96, 169),
    "lseek": (8, 62),
    "madvise": (28, 233),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "nanosleep": (35, 101),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "read": (0, 63),
    "readv": (19, 65),
    "restart_syscall": (219, 128),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_yield": (24, 124),
    "write": (1, 64),
    "writev": (20, 66),
}
MAPPING_CALLS = {"mmap": (9, 222), "mprotect": (10, 226)}  # allowed unless the memory could be executed


@dataclass(frozen=True)
class Architecture:
    """How a filter knows a machine, its column in the tables, and its number of the call `seccomp`."""

    audit: int
    column: int
    seccomp: int


ARCHITECTURES = {
    "x86_64": Architecture(0xC000003E, 0, 317),
    "aarch64": Architecture(0xC00000B7, 1, 277),
}


class NotConfined(Exception):
    """This machine cannot confine a process: that takes Linux with seccomp, on x86-64 or arm64."""


@dataclass(frozen=True)
class Limits:
    """What the process may use at most."""

    memory_bytes: int
    processor_seconds: int
    written_bytes: int


def limit(limits: Limits) -> None:
    """Set the limits; on Linux the process also ends when its parent ends."""
    for what, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.processor_seconds),
        (resource.RLIMIT_FSIZE, limits.written_bytes),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(PR_SET_DUMPABLE, 0)


def confine() -> None:
    """From now on only the calls of the list work; NotConfined if that could not be had."""
    machine = ARCHITECTURES.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        raise NotConfined
    libc = ctypes.CDLL(None, use_errno=True)
    program = _program(machine)
    rules = ctypes.create_string_buffer(program)
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(rules)))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise NotConfined
    if libc.syscall(machine.seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, head) != 0:
        raise NotConfined
    _prove()


def can_confine() -> bool:
    """Whether this machine can: tried in a child, because there is no way back."""
    words = [sys.executable, "-P", "-s", "-c", "from infra.confine import confine; confine()"]
    environment = {"PYTHONPATH": str(Path(__file__).parents[1])}
    tried = subprocess.run(words, env=environment, capture_output=True, timeout=TRIAL_SECONDS, check=False)
    return tried.returncode == 0


def _program(machine: Architecture) -> bytes:
    """The filter, as the kernel takes it: instructions of an operation, two jumps and a number."""
    column = machine.column
    calls = [_step(EQUAL, row[column], 0, 1) + _step(RETURN, PASS) for row in CALLS.values()]
    mappings = [
        _step(EQUAL, row[column], 0, 4)
        + _step(LOAD, AT_THIRD_ARGUMENT)
        + _step(HAS_BITS, PROT_EXEC, 1, 0)
        + _step(RETURN, PASS)
        + _step(RETURN, REFUSE)
        for row in MAPPING_CALLS.values()
    ]
    return b"".join(
        [
            _step(LOAD, AT_ARCHITECTURE),
            _step(EQUAL, machine.audit, 1, 0),
            _step(RETURN, KILL),
            _step(LOAD, AT_NUMBER),
            _step(AT_LEAST, X32, 0, 1),
            _step(RETURN, REFUSE),
            *calls,
            *mappings,
            _step(RETURN, REFUSE),
        ]
    )


def _step(operation: int, number: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", operation, if_true, if_false, number)


def _prove() -> None:
    """Believe it only when neither a file nor a socket can be opened."""
    for attempt in (lambda: os.open("/", os.O_RDONLY), socket.socket):
        try:
            attempt()
        except PermissionError:
            continue
        raise NotConfined
