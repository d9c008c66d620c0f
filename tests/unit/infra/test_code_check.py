"""Code that wants more than to compute: each try is a real one, in the real child."""

# ruff: noqa: E501 - tables of cases

import os
import platform
import socket
import time
from pathlib import Path

import pytest

from infra import code_check
from infra.code_check import passed_tests
from infra.code_child.limits import LIMITS
from infra.confine import ARCHITECTURES, MAPPING_CALLS, NotConfined

COLUMN = ARCHITECTURES[platform.machine()].column

NUMBERS = {  # prctl, prlimit64, ptrace, process_vm_readv, process_vm_writev, io_uring_setup, bpf, unshare, socket, clone, clone3, execve
    "x86_64": (
        157,
        302,
        101,
        310,
        311,
        425,
        321,
        272,
        41,
        56,
        435,
        59,
        0x40000000 + 41,
    ),  # the last: socket of the x32 table
    "aarch64": (167, 261, 117, 270, 271, 425, 280, 97, 198, 220, 435, 221),
}
TRIES = """
import sys
ends = []
def tried(text):
    try:
        exec(text, {"libc": libc, "syscall": syscall})
    except BaseException as error:
        ends.append((text, type(error).__name__, getattr(error, "errno", None)))
    else:
        ends.append((text, "done", None))
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def syscall(number, *words):
    if libc.syscall(number, *words) < 0:
        raise OSError(ctypes.get_errno(), "")
"""


def ends_of(attempts: list[str]) -> list[str]:
    """Those attempts that a confined process is not refused."""
    code = TRIES + "".join(f"tried({attempt!r})\n" for attempt in attempts)
    refused = [
        f"ends[{index}][1] in ('PermissionError', 'RuntimeError') and ends[{index}][2] in (1, None)"
        for index in range(len(attempts))
    ]
    passed = passed_tests("python", code, refused)
    return [attempt for attempt, held in zip(attempts, passed, strict=True) if not held]


def test_code_reaches_nothing(tmp_path: Path) -> None:
    """Files, folders, sockets, processes, threads, signals, memory that can be executed, other processes' memory."""
    kept = tmp_path / "kept"
    kept.write_text("kept")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        port = server.getsockname()[1]
        assert ends_of([
            f"open({str(kept)!r})", f"open({str(kept)!r}, 'w')", f"open({str(tmp_path / 'new')!r}, 'w')", "open('/etc/passwd')", "open('/proc/self/environ')",
            "open('/proc/self/mem', 'r+b')", "import os; os.listdir('/')", f"import os; os.unlink({str(kept)!r})", f"import os; os.symlink({str(kept)!r}, '/tmp/x')",
            "import os; os.stat('/etc/passwd')", "import os; os.chdir('/')", "import os; os.open('/dev/shm', os.O_RDONLY)", "import os; os.memfd_create('x')",
            f"import _socket; _socket.socket().connect(('127.0.0.1', {port}))", "import _socket; _socket.socket(_socket.AF_UNIX)",
            "import os; os.fork()", "import os; os.execv('/bin/true', ['true'])", "import os; os.posix_spawn('/bin/true', ['true'], {})", "import os; os.popen('true')",
            "import _thread; _thread.start_new_thread(print, ())", "import os; os.kill(os.getppid(), 9)", "import os; os.kill(1, 0)", "import os; os.setuid(0)",
            f"syscall({MAPPING_CALLS['mmap'][COLUMN]}, 0, 4096, 7, 34, -1, 0)", *(f"syscall({number}, 1, 0, 0, 0, 0)" for number in NUMBERS[platform.machine()]),
        ]) == []  # fmt: skip
        with pytest.raises(BlockingIOError):
            server.accept()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert kept.read_text() == "kept"


def test_code_finds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_API_KEY", "secret")
    tests = [
        "set(os.environ) <= {'LC_CTYPE'}",
        "open_files == [1, 2]",
        "sys.stdin.closed or sys.stdin.buffer.raw is None or not reads()",
    ]
    code = """
import os, sys
def is_open(number):
    try:
        os.lseek(number, 0, 1)
    except OSError as error:
        return error.errno != 9
    return True
def reads():
    try:
        return os.read(0, 1)
    except OSError:
        return b""
open_files = [number for number in range(64) if is_open(number)]
"""
    assert passed_tests("python", code, tests) == [True] * 3


@pytest.mark.parametrize("code", [
    "while True: pass",
    "import signal\nfor number in range(1, 32):\n    if number not in (9, 19): signal.signal(number, signal.SIG_IGN)\nwhile True: pass",
    "import _thread\nlock = _thread.allocate_lock()\nlock.acquire()\nlock.acquire()",
])  # fmt: skip
def test_code_that_never_ends_is_ended(code: str) -> None:
    began = time.monotonic()
    assert passed_tests("python", code, ["True"], seconds=1.5) == [False]
    assert time.monotonic() - began < 1.5 + 5


def test_processor_time_is_limited_whatever_the_clock_says() -> None:
    used = os.times().children_user
    assert passed_tests("python", "while True: pass", ["True"], seconds=120) == [False]
    assert os.times().children_user - used < LIMITS.processor_seconds + 2


@pytest.mark.parametrize(("language", "code"), [
    ("python", "a = bytearray(1 << 30)"),
    ("python", "a = []\nwhile True: a.append(bytearray(1 << 20))"),
    ("python", "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): return f()\nf()"),
    ("python", "import os\nos.abort()"),
    ("python", "import ctypes\nctypes.string_at(0)"),
    ("python", "import os\nos.write(1, b'x' * 1_000_000)\nos._exit(0)"),
    ("python", "import sys\nsys.exit(0)"),
    ("python", "f = '" + "(" * 10_000 + "'\neval('(' * 10_000)"),
    ("javascript", "const a = []; for (;;) a.push('x'.repeat(1e6) + a.length)"),
    ("javascript", "const f = () => f() + 1; f()"),
    ("javascript", "import fs from 'fs'"),
    ("javascript", "require('fs')"),
    ("javascript", "new WebAssembly.Module(new Uint8Array(8))"),
])  # fmt: skip
def test_what_breaks_a_limit_or_itself_passes_nothing(language: code_check.Language, code: str) -> None:
    assert passed_tests(language, code, ["1 == 1"]) == [False]


def test_javascript_has_nothing_of_a_machine() -> None:
    names = [
        "process",
        "require",
        "std",
        "os",
        "bjson",
        "fetch",
        "XMLHttpRequest",
        "WebSocket",
        "setTimeout",
        "Worker",
        "Deno",
        "Bun",
        "scriptArgs",
        "load",
        "loadFile",
        "gc",
    ]
    tests = [f"typeof {name} === 'undefined'" for name in names]
    assert passed_tests("javascript", "", tests) == [True] * len(names)


@pytest.mark.parametrize("said", [
    "{}", "", "not JSON", '{"passed": [1]}', '{"passed": ["true"]}', '{"passed": [true, true]}', '{"passed": [true], "path": "/etc"}', "[" * 4000, '{"passed": [true' + ", true" * 2000 + "]}",
])  # fmt: skip
def test_a_child_that_was_taken_over_is_believed_nothing_else(said: str) -> None:
    code = f"import os\nos.write(1, {said.encode()!r})\nos._exit(0)"
    assert passed_tests("python", code, ["False"]) == [False]


def test_tests_of_python() -> None:
    code = "import math\nfrom collections import Counter\ndef f(x):\n    print(x)\n    return [x, math.floor(1.5)]\n"
    tests = [
        "f(2) == [2, 1]",
        "assert f(1)[0] == 1",
        "f(1) == 1",
        "assert False",
        "f()",
        "x = f(3)\nassert x == [3, 1]",
        "Counter('aa')['a'] == 2",
        "(",
        "exit()",
    ]
    assert passed_tests("python", code, tests) == [True, True, False, False, False, True, True, False, False]


def test_tests_of_javascript() -> None:
    code = "function f(x) { return [x, { a: x }]; }\nconst g = (x) => x * 2;"
    tests = [
        "g(2) === 4",
        "equal(f(1), [1, { a: 1 }])",
        "equal(f(1), [1, { a: 2 }])",
        "g(1)",
        "g(0)",
        "let y = g(1); if (y !== 2) throw y",
        "throw 1",
        "(",
        "equal([], {})",
        "equal(NaN, NaN)",
    ]
    assert passed_tests("javascript", code, tests) == [
        True,
        True,
        False,
        True,
        False,
        True,
        False,
        False,
        False,
        True,
    ]


def test_nothing_is_run_where_it_cannot_be_confined(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The child of a machine that the filter does not know."""
    monkeypatch.setattr(
        code_check, "PROGRAM", "import platform; platform.machine = lambda: 'riscv64'; " + code_check.PROGRAM
    )
    with pytest.raises(NotConfined):
        passed_tests("python", f"open({str(tmp_path / 'new')!r}, 'w')", ["True"])
    assert not list(tmp_path.iterdir())
