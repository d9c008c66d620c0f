"""(h) A thousand event streams on one API process, while it takes submissions."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from infra.jobs.answers import WorkerCard
from infra.jobs.queue import JobQueue
from infra.jobs.record import Job, new_attempt_id
from tests.bench.drain import new_job, queue_of
from tests.bench.figures import Goal, Result, Size, percentile
from tests.bench.load import Answers, Order, put_load
from tests.bench.parts import bench, running
from tests.bench.submit import BODY, CONNECTIONS, SECONDS

WATCHERS, JOBS = 1000, 100
EVENTS_PER_SECOND = 20.0

UNITS = {
    "p50": "delay of an event, median ms",
    "p99": "delay of an event, 99 % ms",
    "delivered": "events delivered a second",
    "expected": "share of the events that were delivered",
    "with": f"submissions/s with {WATCHERS} watchers",
    "without": "submissions/s without",
    "ratio": "ratio of the two",
}
GOALS = (
    Goal("p99", "≤", 250.0, "99 % of events within 250 ms"),
    Goal("ratio", "≥", 0.8, "≥ 0.8 times the submissions without watchers"),
)


def run(size: Size) -> Result:
    """With and without watchers take turns within each run."""
    result = Result(
        "watchers",
        "Watchers",
        f"{WATCHERS} event streams, {WATCHERS // JOBS} on each of {JOBS} running jobs, opened by one"
        f" other process; a worker-like thread makes {EVENTS_PER_SECOND:g} events a second, one job"
        f" after the other, so that {EVENTS_PER_SECOND * WATCHERS / JOBS:g} are to be delivered,"
        f" while {CONNECTIONS} connections submit jobs as fast as they are answered. The delay is"
        " from before the event is written (with its sync to disk) to when the watcher has read it."
        " Then the same load without watchers and events.",
        UNITS,
        GOALS,
    )
    watchers, jobs = size.count(WATCHERS, 20), size.count(JOBS, 4)
    with bench(max_watchers=watchers, lease_seconds=600) as ours:
        queue = queue_of(ours.state)
        running_jobs = [_running(queue, number) for number in range(jobs)]
        for number in range(size.runs):
            with running(
                ours.api()
            ):  # a new one: who left is noticed to be gone when something is sent there
                result.add(**_run(size, ours.settings.port, queue, running_jobs, watchers))
            size.tell(f"watchers {number + 1}/{size.runs}: 99 % {result.runs['p99'][-1]:.0f} ms")
    return result


def _run(size: Size, port: int, queue: JobQueue, jobs: list[Job], watchers: int) -> dict[str, float]:
    without = _load(port, size)
    with _watching(port, jobs, watchers) as delays, _events(queue, jobs) as made:
        loaded = _load(port, size)
        seconds = time.perf_counter() - made.begun
    times = sorted(delays)
    return {
        "p50": percentile(times, 50),
        "p99": percentile(times, 99),
        "delivered": len(times) / seconds,
        "expected": len(times) / (made.count * watchers / len(jobs)),
        "with": loaded.rate(202),
        "without": without.rate(202),
        "ratio": loaded.rate(202) / without.rate(202),
    }


def _load(port: int, size: Size) -> Answers:
    seconds = size.of(2 * SECONDS, 0.5)
    return put_load(Order(port, "/v1/jobs", json.dumps(BODY), {}, CONNECTIONS, seconds, seconds / 6))


def _running(queue: JobQueue, number: int) -> Job:
    card = WorkerCard(f"w{number}", "here", 1, "cpu", queues=("image",), models=("test/fake",))
    queue.enqueue([new_job()])
    job = queue.claim(card, new_attempt_id())
    assert job is not None
    return job


@contextmanager
def _watching(port: int, jobs: list[Job], watchers: int) -> Iterator[list[float]]:
    """Streams that are open; the delays are there when the block has ended."""
    paths = [f"/v1/jobs/{jobs[number % len(jobs)].id}/events" for number in range(watchers)]
    command = [sys.executable, "-m", "tests.bench.watch", str(port), *paths]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    delays: list[float] = []
    try:
        assert process.stdout.readline() == "open\n"
        yield delays
        process.stdin.close()
        delays += json.loads(process.stdout.read())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class _Made:
    """Events that were made."""

    def __init__(self) -> None:
        self.count = 0
        self.begun = time.perf_counter()


@contextmanager
def _events(queue: JobQueue, jobs: list[Job]) -> Iterator[_Made]:
    """Makes events until the block ends, and waits until the last has had time to arrive."""
    made, stopped = _Made(), threading.Event()

    def make() -> None:
        while not stopped.wait(max(0.0, made.begun + made.count / EVENTS_PER_SECOND - time.perf_counter())):
            job = jobs[made.count % len(jobs)]
            data = {"attempt": job.attempt_id, "index": 0, "offset": made.count, "delta": str(time.time_ns())}
            assert queue.emit(job.id, job.attempt_id or "", "job.output", data)
            made.count += 1

    thread = threading.Thread(target=make)
    thread.start()
    try:
        yield made
    finally:
        stopped.set()
        thread.join()
        time.sleep(0.5)  # for those under way; who is later is missing from `expected`
