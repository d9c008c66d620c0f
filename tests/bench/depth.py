"""(f) What a claim, a submission and a job's memory cost, with few and with very many jobs queued."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import redis

from infra.jobs.arguments import enqueue_arguments
from infra.jobs.queue import JobQueue
from infra.jobs.record import NewJob, Outcome, new_attempt_id
from tests.bench.drain import CARD, CHAIN, new_job, queue_of
from tests.bench.figures import Goal, Result, Size, percentile
from tests.bench.parts import durable
from tests.bench.submit import PROMPT
from tests.servers import StateServer

DEPTHS = (1_000, 100_000, 1_000_000)
OWNERS = 10
CALLS = 200
PIPELINED = 10

UNITS = {
    **{f"submit_{name}": f"a submission with {name} queued, median µs" for name in ("1k", "100k", "1M")},
    **{f"claim_{name}": f"a claim with {name} queued, median µs" for name in ("1k", "100k", "1M")},
    "submit_ratio": "a submission, most by fewest queued",
    "claim_ratio": "a claim, most by fewest queued",
    "bytes": "memory of the server for each queued job, bytes",
}
GOALS = (
    Goal("submit_ratio", "≤", 1.3, "a submission with 1 M queued costs ≤ 1.3 times one with 1 k"),
    Goal("claim_ratio", "≤", 1.3, "a claim with 1 M queued costs ≤ 1.3 times one with 1 k"),
    Goal("bytes", "≤", 1536.0, "≤ 1.5 KB a job"),
)


def run(size: Size) -> Result:
    """Three servers, one for each depth, take turns within each run."""
    result = Result(
        "depth",
        "Many jobs queued",
        f"Three state servers with 1 k, 100 k and 1 M queued jobs of {OWNERS} owners, all ready, as"
        f" the API would have queued them. On each in turn {CALLS} submissions of one job and as many"
        " claims, each of which is given back: the time of the call as the caller sees it, over a"
        " Unix socket, from one thread. The servers write their append-only file and do not wait for"
        " the disk here, so that the disk's waiting does not hide the cost. Memory: what `INFO"
        " memory` says with 1 M queued less what it said with none, by their number.",
        UNITS,
        GOALS,
        bars=("submit_1k", "submit_100k", "submit_1M", "claim_1k", "claim_100k", "claim_1M"),
    )
    with ExitStack() as stack:
        depths = [size.count(depth, 20 * place) for place, depth in enumerate(DEPTHS, start=1)]
        filled = [stack.enter_context(filled_server(depth, size)) for depth in depths]
        for number in range(size.runs):
            figures = {}
            for (server, _), name in zip(filled, ("1k", "100k", "1M"), strict=True):
                figures |= _costs(queue_of(server), name, size.count(CALLS, 5))
            result.add(
                **figures,
                submit_ratio=figures["submit_1M"] / figures["submit_1k"],
                claim_ratio=figures["claim_1M"] / figures["claim_1k"],
                bytes=filled[-1][1],
            )
            size.tell(f"depth {number + 1}/{size.runs}: {result.runs['claim_ratio'][-1]:.2f} times")
    return result


@contextmanager
def filled_server(depth: int, size: Size) -> Iterator[tuple[StateServer, float]]:
    """A server with so many ready jobs, and the bytes that each takes."""
    with durable() as server:
        client = server.client()
        client.config_set("appendfsync", "no")
        queue_of(server).queue_stats()  # loads nothing yet, but connects
        before = _used(client)
        begun = time.perf_counter()
        fill(queue_of(server), depth)
        size.tell(f"{depth} jobs queued in {time.perf_counter() - begun:.0f} s")
        yield server, (_used(client) - before) / depth


def fill(queue: JobQueue, depth: int) -> None:
    """As fast as can be: lists of jobs, several lists in one round trip."""
    scripts = queue._scripts  # nobody else needs this
    calls = []
    for start in range(0, depth, CHAIN):
        owner = f"owner{start // CHAIN % OWNERS}"
        jobs = [enqueue_arguments(_job(owner, number)) for number in range(start, min(start + CHAIN, depth))]
        calls.append({"owner": owner, "jobs": jobs})
        if len(calls) == PIPELINED:
            scripts.run_many("enqueue", calls)
            calls = []
    scripts.run_many("enqueue", calls)


def _job(owner: str, number: int) -> NewJob:
    return new_job(owner, f"{PROMPT}, {number}")


def _used(client: redis.Redis) -> int:
    return int(client.info("memory")["used_memory"])


def _costs(queue: JobQueue, name: str, calls: int) -> dict[str, float]:
    """Median microseconds. What is claimed is given back; what is submitted stays, few beside very many."""
    submits, claims = [], []
    for number in range(calls):
        job = _job(f"owner{number % OWNERS}", number)
        begun = time.perf_counter()
        queue.enqueue([job])
        submits.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        claimed = queue.claim(CARD, new_attempt_id())
        claims.append(time.perf_counter() - begun)
        assert claimed is not None
        assert claimed.attempt_id is not None
        queue.requeue(claimed.id, claimed.attempt_id, Outcome.RELEASED)
    return {
        f"submit_{name}": percentile(sorted(submits), 50) * 1e6,
        f"claim_{name}": percentile(sorted(claims), 50) * 1e6,
    }
