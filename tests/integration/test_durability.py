"""What `202` promises, seen and not believed: the fsync comes before the reply, and a kill loses nothing."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.jobs.record import NewJob, new_job_id
from infra.settings import Settings
from tests.servers import StateServer, free_port, missing, redis_program, valkey_program, wait_for

Start = Callable[..., StateServer]
SYSCALLS = "read,recvfrom,write,writev,sendto,fsync,fdatasync"
SYNC = re.compile(r"(?:fdatasync|fsync)\(\d+<[^>]*\.aof>\)\s*=\s*0|(?:fdatasync|fsync) resumed>.*=\s*0")


@pytest.fixture(params=[valkey_program, redis_program], ids=["valkey", "redis7"])
def server(request: pytest.FixtureRequest, start_server: Start) -> StateServer:
    return start_server(request.param())


def new_job(**changes: object) -> NewJob:
    fields = {"owner": "alice", "kind": "text", "model": "m", "queue": "text", "inputs": {}, "cost": 1.0}
    return NewJob(**{"id": new_job_id(), **fields, **changes})  # type: ignore[arg-type]


def job_queue(client: redis.Redis) -> JobQueue:
    return JobQueue(client, limits=Limits.from_settings(Settings()))


@contextmanager
def traced(pid: int, log: Path) -> Iterator[None]:
    """Write down the system calls that process `pid` makes within the block."""
    strace = shutil.which("strace")
    if strace is None:
        missing("strace")
    command = [
        str(strace),
        "-f",
        "-y",
        "-s",
        "65536",
        "-e",
        f"trace={SYSCALLS}",
        "-o",
        str(log),
        "-p",
        str(pid),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    if "attached" not in (said := process.stderr.readline()):
        process.wait()
        process.stderr.close()
        missing(f"the right to trace another process ({said.strip()})")
    try:
        yield
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


class TestFsync:
    def test_a_job_is_on_disk_before_its_enqueue_is_answered(
        self, server: StateServer, tmp_path: Path
    ) -> None:
        queue, job, log = job_queue(server.client()), new_job(), tmp_path / "trace"
        queue.enqueue([new_job()])  # scripts are loaded, the connection is open
        with traced(server.pid, log):
            queue.enqueue([job])
            wait_for(lambda: job.id in log.read_text(), what="the trace of the enqueue")
        self.assert_synced_before_reply(log.read_text(), asked=job.id)

    def test_so_is_any_write(self, server: StateServer, tmp_path: Path) -> None:
        client, log = server.client(), tmp_path / "trace"
        client.ping()
        with traced(server.pid, log):
            client.hset("record", "field", "the-value")
            wait_for(lambda: "the-value" in log.read_text(), what="the trace of the write")
        self.assert_synced_before_reply(log.read_text(), asked="the-value")

    @staticmethod
    def assert_synced_before_reply(trace: str, asked: str) -> None:
        """Of the calls: the request is read, the file is written and synced, then the reply is sent."""
        lines = trace.splitlines()
        read = next(
            i for i, line in enumerate(lines) if asked in line and re.search(r"\b(read|recvfrom)\(", line)
        )
        after = lines[read + 1 :]
        written = next(i for i, line in enumerate(after) if "write(" in line and ".aof>" in line)
        synced = next(i for i, line in enumerate(after) if SYNC.search(line))
        replied = next(
            i
            for i, line in enumerate(after)
            if re.search(r"\b(write|writev|sendto)\(\d+<(UNIX|socket)", line)
        )
        assert written < synced < replied, "\n".join(after[: replied + 1])


class TestKills:
    def test_every_job_that_was_accepted_outlives_the_server(self, server: StateServer) -> None:
        queue, accepted = job_queue(server.client()), []
        for _ in range(3):
            for _ in range(20):
                accepted.append(queue.enqueue([new_job()]).jobs[0].id)
            server.kill()
            server.start()
        assert {queue.get(job_id).status for job_id in accepted} == {"queued"}
        assert len({queue.get(job_id).id for job_id in accepted}) == 60


class TestRefusal:
    @pytest.mark.parametrize("part", ["api", "workers"])
    def test_no_part_starts_on_a_server_that_would_lose_jobs(
        self, part: str, start_server: Start, tmp_path: Path
    ) -> None:
        server = start_server(options=("--appendonly", "no"))
        told = self.start(part, server, tmp_path)
        assert told.returncode != 0
        assert "append-only file is off" in told.stderr

    @staticmethod
    def start(part: str, server: StateServer, home: Path) -> "subprocess.CompletedProcess[str]":
        settings = Settings(home=home, redis_url=server.url, port=free_port(), device="cpu")
        environment = {**os.environ, **settings.environ()}
        return subprocess.run(
            [sys.executable, "-m", part],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
