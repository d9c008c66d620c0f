"""(j) A state server that dies with very many jobs queued: how soon it serves again, and what it lost."""

import time
from contextlib import ExitStack

from infra.connections import connect
from infra.jobs.queue import JobQueue
from infra.jobs.record import new_attempt_id
from tests.bench.depth import DEPTHS, filled_server
from tests.bench.drain import CARD, queue_of
from tests.bench.figures import Goal, Result, Size
from tests.servers import StateServer, wait_for

PATIENCE_SECONDS = 300.0

UNITS = {
    "ready": "from the start of the server until a claim is answered, s",
    "lost": "jobs that are gone",
    "megabytes": "its files, MB",
}
GOALS = (Goal("ready", "≤", 30.0, "ready ≤ 30 s"), Goal("lost", "≤", 0.0, "nothing lost"))


def run(size: Size) -> Result:
    """The same server and data, killed again and again."""
    result = Result(
        "restart",
        "Restart with very many jobs",
        "The state server has 1 M queued jobs and is killed (SIGKILL), then started on the same"
        " files, which are as it has left them: it writes its append-only file anew by itself, as"
        " its defaults say. Ready is when a claim is answered with a job; then every queue, owner"
        " and record is counted.",
        UNITS,
        GOALS,
    )
    with ExitStack() as stack:
        depth = size.count(DEPTHS[-1], 100)
        server, _ = stack.enter_context(filled_server(depth, size))
        for number in range(size.runs):
            before = _held(server)
            server.kill()
            seconds = _started(server)
            result.add(ready=seconds, lost=abs(before - _held(server)), megabytes=_megabytes(server))
            size.tell(f"restart {number + 1}/{size.runs}: {seconds:.1f} s")
    return result


def _started(server: StateServer) -> float:
    """Seconds until it gives a job out."""
    begun = time.perf_counter()
    server.start(PATIENCE_SECONDS)
    wait_for(lambda: _claims(queue_of(server)), PATIENCE_SECONDS, "a claim")
    return time.perf_counter() - begun


def _claims(queue: JobQueue) -> bool:
    return queue.claim(CARD, new_attempt_id()) is not None


def _held(server: StateServer) -> int:
    """Jobs that are ready or run, each with its record."""
    queue = queue_of(server)
    held = sum(stats.ready + stats.running for stats in queue.queue_stats())
    client = connect(server.url, timeout=60)
    records = sum(1 for _ in client.scan_iter("atl:{g0}:j:*", count=10_000))
    return min(held, records)


def _megabytes(server: StateServer) -> float:
    return sum(file.stat().st_size for file in (server.folder / "data").rglob("*") if file.is_file()) / 1e6
