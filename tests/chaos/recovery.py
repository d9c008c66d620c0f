"""`make recovery`: how soon a job goes on after a kill, over many kills. Writes docs/recovery.md.

Times are the state server's, as the record has them; kills are timed by the clock of this machine, which is
the same one.
"""

import argparse
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psutil

from infra.jobs.record import Job, Outcome, Status
from tests.integration.cluster import Cluster, WorkerProcess, last_attempt, now_ms, outcomes, running_cluster
from tests.servers import FORGETFUL, StateServer, valkey_program

REQUEUED_SECONDS = 2.0
"""Promised after the kill of an engine."""
CLAIMED_SECONDS = 17.0
"""Promised after the kill of a worker, beside an idle one: a lease, a tick and a beat."""
PATIENCE_SECONDS = 60.0

PAGE = """# How soon a job goes on after a kill

`make recovery` made this page: real workers with the settings that they have by default, Valkey with its file
synced at every write, and the fake family. Each kill is a SIGKILL as soon as the job runs: then a worker's
lease is as fresh as it can be, and the wait for its end the longest. Every one of these jobs succeeded
afterwards, with one crashed or lost attempt on record.

| Killed | Measured until | Kills | Median | Worst | Promised |
|---|---|---|---|---|---|
{rows}

All times, in seconds:

{lists}

This run: {machine}.
"""


@dataclass(frozen=True)
class Measure:
    """Times of one sort, in seconds."""

    killed: str
    until: str
    promised: float | None
    seconds: list[float]

    @property
    def kept(self) -> bool:
        return self.promised is None or max(self.seconds) <= self.promised

    def row(self) -> str:
        promised = f"{self.promised:g} s" if self.promised else ""
        figures = f"{len(self.seconds)} | {median(self.seconds):.2f} s | {max(self.seconds):.2f} s"
        return f"| {self.killed} | {self.until} | {figures} | {promised} |"

    def list(self) -> str:
        times = ", ".join(f"{seconds:.2f}" for seconds in sorted(self.seconds))
        return f"- {self.killed}, {self.until}: {times}"


def kill_engines(cluster: Cluster, times: int, tell: Callable[[str], None]) -> list[Measure]:
    """Kill the engine of one worker again and again, each time under a new job."""
    worker = cluster.start_worker()
    requeued, started = [], []
    for number in range(1, times + 1):
        job = cluster.submit("steps=8 sleep=0.05")
        cluster.wait_for_status(job, Status.RUNNING, PATIENCE_SECONDS)
        engine = worker.wait_for_engine()
        killed_at = now_ms()
        os.kill(engine, signal.SIGKILL)
        first, second = _ended_after(cluster, job, Outcome.CRASHED).attempts
        requeued.append(((first.ended_at or 0) - killed_at) / 1000)
        started.append((second.started_at - killed_at) / 1000)
        tell(f"engine {number} of {times}: requeued after {requeued[-1]:.2f} s, next {started[-1]:.2f} s")
    worker.kill()
    return [
        Measure("engine", "the job was queued again", REQUEUED_SECONDS, requeued),
        Measure("engine", "its next attempt began", None, started),
    ]


def kill_workers(cluster: Cluster, times: int, tell: Callable[[str], None]) -> list[Measure]:
    """Kill the worker that has a job, beside an idle one; another takes its place each time."""
    cluster.start_worker()
    claimed = []
    for number in range(1, times + 1):
        cluster.start_worker()
        job = cluster.submit("steps=40 sleep=0.05")
        running = cluster.wait_for_status(job, Status.RUNNING, PATIENCE_SECONDS)
        victim = _worker_of(cluster, running)
        killed_at = now_ms()
        victim.kill()
        job = _ended_after(cluster, job, Outcome.LOST)
        claimed.append((last_attempt(job).started_at - killed_at) / 1000)
        tell(f"worker {number} of {times}: claimed again after {claimed[-1]:.2f} s")
    return [Measure("worker, another one idle", "its job was claimed again", CLAIMED_SECONDS, claimed)]


def _worker_of(cluster: Cluster, job: Job) -> WorkerProcess:
    pids = {info.card.id: info.card.pid for info in cluster.queue.workers()}
    return next(worker for worker in cluster.workers if worker.pid == pids[last_attempt(job).worker])


def _ended_after(cluster: Cluster, job: Job, accident: Outcome) -> Job:
    job = cluster.wait_for_end(job, PATIENCE_SECONDS)
    assert outcomes(job) == [accident, Outcome.SUCCEEDED], job
    return job


def measure(kills: int, tell: Callable[[str], None]) -> list[Measure]:
    """Both sorts of kills, on servers of their own."""
    state, broker = StateServer(valkey_program()).start(), StateServer(valkey_program(), FORGETFUL).start()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="atl-recovery-") as folder,
            running_cluster(Path(folder), state, broker) as cluster,
        ):
            return kill_engines(cluster, kills, tell) + kill_workers(cluster, kills, tell)
    finally:
        state.stop()
        broker.stop()


def page(measures: list[Measure]) -> str:
    """The text of docs/recovery.md."""
    day = datetime.now(UTC).date().isoformat()
    memory = psutil.virtual_memory().total / 2**30
    machine = f"{day}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"
    rows = "\n".join(measure.row() for measure in measures)
    lists = "\n".join(measure.list() for measure in measures)
    return PAGE.format(rows=rows, lists=lists, machine=machine)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make recovery", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="of each sort")
    parser.add_argument("--docs", type=Path, help="folder to put the page into")
    options = parser.parse_args(argv)
    measures = measure(options.kills, lambda line: print(line, flush=True))
    print("\n".join(measure.row() for measure in measures))
    if options.docs:
        (options.docs / "recovery.md").write_text(page(measures))
    return int(not all(measure.kept for measure in measures))


if __name__ == "__main__":
    sys.exit(main())
