"""What a confined process can still do: compute, and use the files that it has open. Each try is a real one."""

# ruff: noqa: E501 - tables of cases

import json
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from infra import media_check
from infra.confine import ARCHITECTURES, CALLS, MAPPING_CALLS, can_confine
from infra.media_check import BadMedia, Unconfined, check_media

ROOT = Path(__file__).parents[3]
PROGRAM = """
import ctypes, json, mmap, os, signal, socket, subprocess, sys, threading
from infra.confine import Limits, confine, limit
limit(Limits(1 << 30, 20, 1 << 20))
given = open(sys.argv[1], "rb"); written = open(sys.argv[2], "w+b")
connected, other = socket.socketpair()
libc = ctypes.CDLL(None, use_errno=True)
attempts = [(text, compile(text, "attempt", "exec")) for text in json.loads(sys.argv[3])]
def call(number):
    if libc.syscall(number, 0, 0, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "")
confine()
ends = {}
for text, code in attempts:
    try:
        exec(code)
        ends[text] = "done"
    except Exception as error:
        ends[text] = f"{type(error).__name__} {getattr(error, 'errno', '')}".strip()
print(json.dumps(ends))
"""
REFUSED = ("PermissionError 1", "RuntimeError")  # EPERM; of threads Python says it as RuntimeError


def confined(attempts: list[str], tmp_path: Path) -> dict[str, str]:
    """What became of these statements in a confined process that has two files open."""
    (tmp_path / "given").write_bytes(b"given")
    words = [sys.executable, "-c", PROGRAM, tmp_path / "given", tmp_path / "written", json.dumps(attempts)]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True, env=environ)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_what_reaches_beyond_the_two_files_is_refused(tmp_path: Path) -> None:
    attempts = [
        "socket.socket()", "socket.socket(socket.AF_UNIX)", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)", "socket.socketpair()",
        "connected.sendto(b'x', 'elsewhere')", "connected.recvmsg(1)", "connected.recv(1)",
        "open('/etc/shadow')", "open('/proc/self/environ')", "open('/etc/hostname')", "os.open('.', os.O_RDONLY)", "os.listdir('/')",
        "open('elsewhere', 'w')", "os.mkdir('elsewhere')", "os.unlink(sys.argv[1])", "os.rename(sys.argv[1], 'elsewhere')",
        "os.symlink('/etc/passwd', 'elsewhere')", "os.chmod(sys.argv[1], 0o777)", "os.stat('/etc/passwd')", "os.memfd_create('x')",
        "os.execv('/bin/true', ['true'])", "os.fork()", "subprocess.run(['/bin/true'])", "threading.Thread(target=print).start()",
        "os.kill(os.getppid(), 9)", "os.setuid(0)", "os.nice(-5)", "os.pipe()", "os.dup(1)",
        "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)",
    ]  # fmt: skip
    ends = confined(attempts, tmp_path)
    assert {attempt: end for attempt, end in ends.items() if end not in REFUSED} == {}
    assert len(ends) == len(attempts)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given", "written"]


def test_calls_that_no_library_makes_are_refused_too(tmp_path: Path) -> None:
    """ptrace, unshare, io_uring_setup, bpf, process_vm_readv, keyctl, mount; on x86-64 also the x32 number of
    socket, which would pass a filter that forgets those."""
    numbers = {
        "x86_64": (101, 272, 425, 321, 310, 250, 165, 0x40000000 + 41),
        "aarch64": (117, 97, 425, 280, 270, 219, 40),
    }[platform.machine()]
    ends = confined([f"call({number})" for number in numbers], tmp_path)
    assert set(ends.values()) == {"PermissionError 1"}


def test_decoding_is_still_possible(tmp_path: Path) -> None:
    attempts = [
        "assert given.read() == b'given'", "written.write(b'x' * 1000); written.flush(); written.seek(0)", "bytearray(1 << 26)",
        "written.truncate(10)", "os.urandom(8)", "mmap.mmap(-1, 4096)", "sum(range(10 ** 6))", "given.close()",
    ]  # fmt: skip
    assert set(confined(attempts, tmp_path).values()) == {"done"}


def test_the_limits_hold(tmp_path: Path) -> None:
    attempts = {
        "bytearray(2 << 30)": "MemoryError",
        "written.write(bytes(2 << 20)); written.flush()": "OSError 27",
    }
    assert confined(list(attempts), tmp_path) == attempts


def test_the_tables_know_both_machines() -> None:
    assert {len(row) for row in (CALLS | MAPPING_CALLS).values()} == {len(ARCHITECTURES)}
    for column in range(len(ARCHITECTURES)):
        numbers = [row[column] for row in (CALLS | MAPPING_CALLS).values()]
        assert len(set(numbers)) == len(numbers)


UNCONFINABLE = """
import platform, sys
platform.machine = lambda: "riscv64"
from infra.media_child.__main__ import main
main(*sys.argv[1:])
"""


def test_nothing_is_decoded_where_it_cannot_be_confined(tmp_path: Path, png: Path) -> None:
    """The child of a machine that the filter does not know; `best_effort` decodes there all the same."""
    for confinement, answer in (("required", '{"unconfined": true}'), ("best_effort", "image/png")):
        command = [sys.executable, "-c", UNCONFINABLE, "image/png", png, tmp_path / "checked", confinement]
        environ = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environ)
        assert answer in done.stdout


@pytest.mark.parametrize(("said", "raised"), [
    ('{"unconfined": true}', Unconfined), ("not JSON", BadMedia), ('{"media_type": "text/html"}', BadMedia), ("{}", BadMedia),
    ('{"media_type": "image/png", "width": "1"}', BadMedia), ('{"detail": "' + "x" * 10_000 + '"}', BadMedia), ("[" * 3_000, BadMedia),
])  # fmt: skip
def test_a_child_that_was_taken_over_is_believed_nothing(
    said: str, raised: type[Exception], png: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "taken" / "infra" / "media_child"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(f"print({said!r})")
    monkeypatch.setattr(media_check, "ROOT", package.parents[1])
    with pytest.raises(raised):
        check_media(png, tmp_path)


@pytest.fixture
def png(tmp_path: Path) -> Path:
    from PIL import Image

    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path)
    return path


def test_the_trial_leaves_this_process_as_it_is() -> None:
    assert can_confine()
    socket.socket().close()
