"""(g) Efficiency of 1 to 64 workers: real ones, as many as this machine can hold, then simulated ones."""

import threading
import time
from dataclasses import replace

from infra.broker import Doorbell, make_celery
from infra.jobs.answers import Limits, WorkerCard
from infra.jobs.operator import Operator, What
from infra.jobs.queue import JobQueue
from infra.jobs.record import Job, NewJob, new_attempt_id
from tests.bench.drain import commit, new_job, queue_of
from tests.bench.figures import Goal, Result, Size
from tests.bench.parts import Bench, bench
from tests.integration.cluster import Cluster
from tests.servers import wait_for

RUN_SECONDS = 2.0
JOBS_EACH = 20
REAL = 4
SIMULATED = (1, 8, 64)
PATIENCE_SECONDS = 600.0

UNITS = {
    "real": f"{REAL} real workers",
    **{f"simulated_{count}": f"{count} simulated workers" for count in SIMULATED},
}
GOALS = (Goal("simulated_64", "≥", 0.97, "≥ 0.97 with 64 workers"),)


def run(size: Size) -> Result:
    """Each number of workers has as many jobs a worker."""
    result = Result(
        "scaling",
        "Adding workers",
        f"Jobs of {RUN_SECONDS:g} s that need no processor, {JOBS_EACH} for each worker, all queued"
        " before the first is claimed. Efficiency is the time that they would take if nothing but"
        f" their own time counted, by the time that they took. {REAL} real workers (a Celery process"
        " and an engine each, the fake family, batches of one, two files and a manifest a job) are"
        " what two cores can start; the simulated ones are threads that claim, sleep and commit by"
        " the same calls, each with its own card and connection, on a state server that syncs every write.",
        UNITS,
        GOALS,
        bars=tuple(UNITS),
    )
    for number in range(size.runs):
        with bench() as ours:
            figures = {f"simulated_{count}": _simulated(ours, count, size) for count in SIMULATED}
        with bench() as ours:
            result.add(real=_real(ours, size), **figures)
        size.tell(f"scaling {number + 1}/{size.runs}: {result.runs['simulated_64'][-1]:.3f}")
    return result


def _seconds(size: Size) -> float:
    return size.of(RUN_SECONDS, 0.05)


def _simulated(ours: Bench, count: int, size: Size) -> float:
    each = size.count(JOBS_EACH, 1)
    queue = queue_of(ours.state)
    for _ in range(count):
        queue.enqueue([new_job() for _ in range(each)])
    begun = time.perf_counter()
    threads = [threading.Thread(target=_work, args=[ours, number, _seconds(size)]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return each * _seconds(size) / (time.perf_counter() - begun)


def _work(ours: Bench, number: int, seconds: float) -> None:
    """Until nothing is left."""
    queue: JobQueue = queue_of(ours.state)
    card = WorkerCard(f"sim{number}", "here", 1, "cpu", queues=("image",), models=("test/fake",))
    while job := queue.claim(card, new_attempt_id()):
        time.sleep(seconds)
        commit(queue, job)


def _real(ours: Bench, size: Size) -> float:
    each, seconds = size.count(JOBS_EACH, 1), _seconds(size)
    count = size.count(REAL, 1)
    cluster = Cluster(ours.settings, ours.folder)
    bell = Doorbell(make_celery(ours.settings, ["image"]))
    operator = Operator(ours.state.client(), limits=Limits(), ring=bell.ring)
    queue = queue_of(ours.state)
    try:
        for _ in range(count):
            cluster.start_worker()
        warm = [queue.enqueue([_sleeping(0.5)]).jobs[0] for _ in range(count)]
        wait_for(lambda: all(_is_final(queue, job) for job in warm), PATIENCE_SECONDS, "warm workers")
        operator.pause(What.QUEUE, "image", "bench", "")
        queue.enqueue([_sleeping(seconds) for _ in range(each * count)])
        begun = time.perf_counter()
        operator.resume(What.QUEUE, "image")
        wait_for(lambda: queue.owner_usage("local").queued == 0, PATIENCE_SECONDS, "the last claim")
        wait_for(lambda: queue.owner_usage("local").running == 0, PATIENCE_SECONDS, "the last job")
        return each * seconds / (time.perf_counter() - begun)
    finally:
        cluster.close()
        bell.close()


def _sleeping(seconds: float) -> NewJob:
    """A job that shares its run with no other."""
    return replace(new_job(prompt=f"steps=1 sleep={seconds:g}"), batch="")


def _is_final(queue: JobQueue, job: Job) -> bool:
    return queue.get(job.id).status.final
