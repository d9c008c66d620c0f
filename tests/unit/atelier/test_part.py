"""Parts on a tether: started, stopped, started again with growing pauses; ports."""

import os
import socket
import sys
import time

import psutil
import pytest

from atelier import part as parts
from atelier.part import Backoff, Part
from atelier.ports import free_port, local_url, port_is_free


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.02)


@pytest.fixture
def make(tmp_path):
    made = []

    def make(script: str, stop_seconds: float = 5.0) -> Part:
        part = Part(
            "part",
            [sys.executable, "-c", script],
            {**os.environ, "GREETING": "hello"},
            tmp_path / "part.log",
            stop_seconds,
        )
        made.append(part)
        return part

    yield make
    for part in made:
        part.wait_stopped(0)


def test_its_output_goes_to_its_log(make):
    part = make("import os; print(os.environ['GREETING'])")
    part.start()

    until(lambda: part.log.read_text() == "hello\n")


def test_it_ends_when_asked(make):
    part = make("import time; print('up', flush=True); time.sleep(60)")
    part.start()
    until(lambda: "up" in part.log.read_text())

    part.ask_to_stop()

    assert part.wait_stopped(time.monotonic() + 5)
    assert part.pid is None


def test_one_that_does_not_listen_is_killed(make):
    part = make(
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    part.start()
    until(part.log.read_text)
    pid = int(part.log.read_text())

    part.ask_to_stop()

    assert not part.wait_stopped(time.monotonic() + 0.3)
    assert not psutil.pid_exists(pid)


def test_a_death_is_told_once_and_the_next_start_waits(make, monkeypatch):
    monkeypatch.setattr(parts, "FIRST_PAUSE", 0.2)
    part = make("raise SystemExit(3)")
    part.start()
    status = None

    def died():
        nonlocal status
        status = part.died()
        return status is not None

    until(died)

    assert status == 3
    assert part.died() is None
    assert not part.due()
    until(part.due)


def test_a_log_that_is_long_begins_anew_under_its_writer(tmp_path):
    log = tmp_path / "api.log"
    with log.open("ab", buffering=0) as writer:
        for text in (b"one\n", b"two\n", b"three\n"):
            writer.write(text)
            parts.trim(log, longest=3 + len(b"two"))

    assert (log.read_bytes(), (tmp_path / "api.log.1").read_bytes()) == (b"three\n", b"one\ntwo\n")


def test_pauses_grow_to_a_limit_and_a_long_life_forgives(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(parts.time, "monotonic", lambda: clock[0])
    backoff = Backoff()
    pauses = []
    for _ in range(8):
        backoff.started()
        pauses.append(backoff.died())

    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]

    backoff.started()
    clock[0] += parts.HEALTHY_AFTER + 1
    assert backoff.died() == 0.5


def test_the_end_of_a_log_is_found_and_a_missing_one_is_empty(tmp_path):
    log = tmp_path / "x.log"
    assert parts.tail(log) == ""
    log.write_text("\n".join(map(str, range(100))))
    assert parts.tail(log, 2) == "98\n99"


def test_a_port_in_use_is_known():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert not port_is_free("127.0.0.1", taken.getsockname()[1])
    assert port_is_free("127.0.0.1", free_port("127.0.0.1"))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104
        ("::", "http://[::1]:80"),
        ("example.org", "http://example.org:80"),
    ],
)
def test_where_this_machine_reaches_a_server(host, url):
    assert local_url(host, 80) == url
