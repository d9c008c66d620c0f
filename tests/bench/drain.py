"""(b) How fast a queue of jobs that do nothing empties, beside plain Celery whose broker syncs as often."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import redis

from infra.broker import Doorbell, make_celery
from infra.connections import connect
from infra.jobs.answers import Limits, WorkerCard
from infra.jobs.operator import Operator, What
from infra.jobs.queue import JobQueue
from infra.jobs.record import Artifact, Job, NewJob, new_attempt_id, new_job_id
from tests.bench.figures import Goal, Result, Size
from tests.bench.parts import OWNER_LIMIT, RIVAL_THREADS, Bench, bench, durable
from tests.chaos.storm.part import Part
from tests.integration.cluster import Cluster
from tests.servers import StateServer, clean_environment, wait_for
from workers.finishing import Finishing

JOBS = 400
REAL_JOBS = 40
CHAIN = 50
PATIENCE_SECONDS = 300.0
RESULT = Artifact("0.png", 0, "output", 7, "image/png", 10, "0" * 64)
CARD = WorkerCard(
    "bench", "here", 1, "cpu", queues=("image",), models=("test/fake",), batches={"test/fake": 8}
)

UNITS = {
    "ours": "Atelier, one loop: claim, commit and events, jobs/s",
    "alone": "the same without batches, jobs/s",
    "solo": "Celery solo, tasks/s",
    "threads": f"Celery with {RIVAL_THREADS} threads, tasks/s",
    "ratio": "Atelier by Celery solo",
    "threads_ratio": f"Atelier by Celery with {RIVAL_THREADS} threads",
    "worker": "a real worker with the fake family: engine, two files and a manifest a job, jobs/s",
}
GOALS = (Goal("ratio", "≥", 3.0, "≥ 3.0 times Celery solo"),)


def run(size: Size) -> Result:
    """All of them take turns within each run."""
    result = Result(
        "drain",
        "Draining no-op jobs",
        f"{JOBS} jobs wait. Ours: one loop that claims as a worker does (a batch of up to 8 in one"
        " call) and commits each job with one artifact in the threads in which a worker does;"
        " every claim and commit is on disk before it is answered, and makes its event. Then the"
        " same with batches of one. Celery: as many tasks that do nothing, worker settings as they"
        " come, early acknowledgement, no results, on a Valkey with the same `appendfsync always`;"
        " from the first task that was taken to the last.",
        UNITS,
        GOALS,
        bars=("ours", "alone", "solo", "threads", "worker"),
    )
    with bench() as ours, durable() as broker:
        for number in range(size.runs):
            batched, alone = (
                _drained(ours, size.count(JOBS, 16), 8),
                _drained(ours, size.count(JOBS // 2, 8), 1),
            )
            solo = _celery(ours, broker, size.count(JOBS, 16), "solo", 1)
            threads = _celery(ours, broker, size.count(JOBS, 16), "threads", RIVAL_THREADS)
            worker = _through_a_worker(ours, size.count(REAL_JOBS, 4))
            result.add(
                ours=batched,
                alone=alone,
                solo=solo,
                threads=threads,
                ratio=batched / solo,
                threads_ratio=batched / threads,
                worker=worker,
            )
            size.tell(f"drain {number + 1}/{size.runs}: {result.runs['ratio'][-1]:.2f} times")
    return result


def queue_of(state: StateServer) -> JobQueue:
    """A queue without a bell."""
    limits = Limits(max_queued_per_owner=OWNER_LIMIT, max_queued=OWNER_LIMIT, lease_seconds=600)
    return JobQueue(connect(state.url, name="atelier-bench", timeout=10), limits=limits)


def new_job(owner: str = "local", prompt: str = "steps=1", model: str = "test/fake") -> NewJob:
    """A small picture, as the API would queue it."""
    inputs = {
        "prompt": prompt,
        "negative_prompt": "",
        "seed": 7,
        "n": 1,
        "width": 64,
        "height": 64,
        "steps": 1,
    }
    return NewJob(
        new_job_id(),
        owner,
        "text-to-image",
        model,
        "image",
        inputs,
        1.0,
        seed_chosen=True,
        batch="64x64x1",
        rows=1,
    )


def fill(queue: JobQueue, count: int) -> None:
    """Queue so many."""
    for start in range(0, count, CHAIN):
        queue.enqueue([new_job() for _ in range(min(CHAIN, count - start))])


def commit(queue: JobQueue, job: Job) -> None:
    """End it with its result."""
    assert job.attempt_id is not None
    queue.commit(job.id, job.attempt_id, f"local/{job.id}/{job.attempt_id}/manifest.json", "0" * 64, [RESULT])


def _drained(ours: Bench, count: int, rows: int) -> float:
    queue = queue_of(ours.state)
    card = CARD if rows > 1 else WorkerCard("bench", "here", 1, "cpu", queues=CARD.queues, models=CARD.models)
    fill(queue, count)
    ended: list[Job] = []

    def finish(job: Job) -> None:
        commit(queue, job)
        ended.append(job)

    finishing, begun = Finishing(finish), time.perf_counter()
    while jobs := queue.claim_batch(card, new_attempt_id()):
        for job in jobs:
            finishing.submit(job)
    finishing.close()
    assert len(ended) == count, (len(ended), count)
    return count / (time.perf_counter() - begun)


def _celery(ours: Bench, broker: StateServer, count: int, pool: str, threads: int) -> float:
    """Tasks a second of a plain worker."""
    client = broker.client()
    with _sender(broker) as send:
        send(count)
    command = [sys.executable, "-m", "celery", "-A", "tests.bench.plain:celery", "worker", "--pool", pool]
    command += ["-c", str(threads), "--loglevel", "error", "--without-gossip", "--without-mingle"]
    environ = {**clean_environment(), "BENCH_BROKER": broker.url, "PYTHONPATH": os.getcwd()}
    worker = Part(f"celery-{pool}", command, environ, ours.folder / f"celery-{pool}.log", lambda _: True)
    worker.start()
    try:
        return _rate(client, count)
    finally:
        worker.stop()
        client.flushall()


@contextmanager
def _sender(broker: StateServer) -> Iterator["type[None]"]:
    """Sends tasks; the application is imported with this broker's address."""
    os.environ["BENCH_BROKER"] = broker.url
    from tests.bench.plain import celery, nothing

    celery.conf.broker_url = f"redis+socket://{broker.socket}"
    with celery.connection_for_write() as connection, celery.amqp.Producer(connection) as producer:

        def send(count: int) -> None:
            for _ in range(count):
                nothing.apply_async([{}], producer=producer)

        yield send  # type: ignore[misc]


def _rate(client: redis.Redis, count: int) -> float:
    """From the first one that was taken to the last one that was acknowledged."""

    def left() -> int:
        return int(client.llen("celery")) + int(client.hlen("unacked"))  # type: ignore[arg-type]

    wait_for(lambda: left() < count, PATIENCE_SECONDS, "a first task")
    begun, before = time.perf_counter(), left()
    wait_for(lambda: left() == 0, PATIENCE_SECONDS, "the last task")
    return before / (time.perf_counter() - begun)


def _through_a_worker(ours: Bench, count: int) -> float:
    """Jobs a second of a real worker; they are queued while their queue is paused."""
    cluster = Cluster(ours.settings, ours.folder)
    worker = cluster.start_worker()
    bell = Doorbell(make_celery(ours.settings, ["image"]))
    operator = Operator(ours.state.client(), limits=Limits(), ring=bell.ring)
    try:
        warm = cluster.queue.enqueue([new_job()]).jobs[0]
        wait_for(lambda: cluster.queue.get(warm.id).status.final, 60, "the first job")
        operator.pause(What.QUEUE, "image", "bench", "")
        queue = queue_of(ours.state)
        fill(queue, count)
        before, begun = _succeeded(queue), time.perf_counter()
        operator.resume(What.QUEUE, "image")
        wait_for(lambda: _succeeded(queue) == before + count, PATIENCE_SECONDS, "the last job")
        return count / (time.perf_counter() - begun)
    finally:
        worker.kill()
        bell.close()
        cluster.queue.leave(_id_of(cluster.queue.workers()))


def _succeeded(queue: JobQueue) -> int:
    return next(stats.succeeded for stats in queue.queue_stats() if stats.name == "image")


def _id_of(workers: Sequence[object]) -> str:
    return str(next(worker.card.id for worker in workers if worker.card.id != CARD.id))  # type: ignore[attr-defined]
