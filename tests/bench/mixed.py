"""(e) Two models of which one fits, three owners, sizes of 1 to 100, beside first come first served."""

import json
import random
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from infra.broker import Doorbell, make_celery
from infra.jobs.answers import Limits
from infra.jobs.operator import Operator, What
from infra.jobs.record import Job, NewJob, new_job_id
from tests.bench.figures import Goal, Result, Size
from tests.bench.parts import Bench, bench, running
from tests.chaos.storm.part import Part
from tests.integration.cluster import FAKE_FAMILY, ROOT, Cluster
from tests.servers import clean_environment, wait_for

OWNERS = ("ada", "ben", "eve")
VISITOR = "zoe"
MODELS = ("bench/first", "bench/second")
SIZES = {1: 20, 5: 10, 20: 3, 50: 1, 100: 2}
"""Steps of a job: how many such jobs each owner has. All owners have as much to do."""
STEP_SECONDS = 0.02
LOAD_SECONDS = 1.0
VISIT_SECONDS = 1.0
"""Between the end of one visit and the next."""
HELD = 1000
PATIENCE_SECONDS = 300.0

UNITS = {
    "fairness": "Jain's index of the device time that each owner got while all had work",
    "wait": "worst wait of a small job, s",
    "longest": "longest single run, s",
    "wait_runs": "worst wait of a small job, in longest runs",
    "makespan": "from the first to the last job, s",
    "ratio": "makespan by that of first come first served",
    "loads": "models loaded",
    "fifo_fairness": "first come first served: Jain's index",
    "fifo_wait": "first come first served: worst wait of a small job, s",
    "fifo_makespan": "first come first served: from the first to the last job, s",
    "fifo_loads": "first come first served: models loaded",
}
GOALS = (
    Goal("fairness", "≥", 0.95, "Jain's index ≥ 0.95 by cost"),
    Goal("wait_runs", "≤", 2.0, "worst wait of a small job ≤ 2 times the longest single run"),
    Goal("ratio", "≤", 0.8, "makespan ≤ 0.8 of first come first served"),
)

ROW = """
[[model]]
name = "{name}"
family = "fake"
kinds = ["text-to-image"]
weights = "{folder}"
queue = "image"
seconds_per_unit = {rate}

[model.defaults]
width = 64
height = 64
steps = 1
"""


class Run(NamedTuple):
    """One job's run by the family, alone or in a batch."""

    model: str
    began: float
    """Seconds since 1970."""
    seconds: float


@dataclass(frozen=True)
class Found:
    """What one of the two did with the queue."""

    jobs: Sequence[tuple[str, Job]]
    """Who wanted it, the job as it ended."""
    visits: Sequence[Job]
    released: float
    """When work began, as seconds since 1970."""
    runs: Sequence[Run]

    @property
    def makespan(self) -> float:
        return max(_ended(job) for _, job in self.jobs) - self.released

    @property
    def wait(self) -> float:
        """The worst of a visit, from its submission to its result, less its own time."""
        return max(_ended(job) - job.created_at / 1000 - job.cost for job in self.visits)

    @property
    def longest(self) -> float:
        return max(run.seconds for run in self.runs)

    @property
    def loads(self) -> int:
        """Models that were loaded: of two only one fits."""
        models = [run.model for run in self.runs]
        return 1 + sum(one != other for one, other in pairwise(models))

    @property
    def fairness(self) -> float:
        """Jain's index, when the first owner has nothing left in line."""
        last = {owner: max(_started(job) for who, job in self.jobs if who == owner) for owner in OWNERS}
        until = min(last.values())
        got = dict.fromkeys(OWNERS, 0.0)
        for owner, job in self.jobs:
            got[owner] += job.cost * _done(job, until)
        return sum(got.values()) ** 2 / (len(got) * sum(each**2 for each in got.values()))


def run(size: Size) -> Result:
    """The same jobs in the same order, by ours and by first come first served, within each run."""
    each = sum(SIZES.values())
    result = Result(
        "mixed",
        "Mixed load",
        f"Two models that take {LOAD_SECONDS:g} s to load, of which one fits the memory; three owners with"
        f" {each} jobs each, of 1 to 100 steps of {STEP_SECONDS:g} s (the fake family: a batch takes as long"
        " as its jobs one by one), half of either model, queued in random order while their queue is"
        " paused; a fourth owner who has nothing else submits one job of one step, and the next"
        f" {VISIT_SECONDS:g} s after it has ended, until the queue is empty: those are the small jobs whose"
        " wait is told, from submission to result, less their own time. A real worker, batches of up to 8."
        " First come first served is the same worker on the same queue with the same jobs, all of one"
        " owner, and it does not tell which model is loaded: it takes the oldest job, and those that are"
        " alike to it, wherever they stand in line.",
        UNITS,
        GOALS,
        bars=("makespan", "fifo_makespan", "wait", "fifo_wait"),
    )
    for number in range(size.runs):
        ours, fifo = (_served(size, number, name) for name in ("workers", "tests.bench.fifo"))
        result.add(
            fairness=ours.fairness,
            wait=ours.wait,
            longest=ours.longest,
            wait_runs=ours.wait / ours.longest,
            makespan=ours.makespan,
            ratio=ours.makespan / fifo.makespan,
            loads=ours.loads,
            fifo_fairness=fifo.fairness,
            fifo_wait=fifo.wait,
            fifo_makespan=fifo.makespan,
            fifo_loads=fifo.loads,
        )
        size.tell(f"mixed {number + 1}/{size.runs}: {ours.makespan:.0f} s, {fifo.makespan:.0f} s by arrival")
    return result


def _served(size: Size, number: int, program: str) -> Found:
    """By a worker of this program, which knows owners unless it is the other one."""
    mingled = program != "workers"
    with bench(model_memory=f"{HELD + HELD // 2}") as ours:
        ours.settings = ours.settings.model_copy(update={"catalog": str(_catalog(ours.folder, size))})
        cluster = Cluster(ours.settings, ours.folder)
        cluster.use_catalog(Path(ours.settings.catalog))
        log = ours.folder / "fake.log"
        with running(_worker(ours, cluster, program)), _operator(ours) as operator:
            operator.pause(What.QUEUE, "image", "bench", "")
            jobs = [
                (owner, _submit(cluster, VISITOR if mingled else owner, steps, model, _script(size, log)))
                for owner, steps, model in _wanted(size, number)
            ]
            released = time.time()
            operator.resume(What.QUEUE, "image")
            visits = _visits(cluster, number, log, size, [job for _, job in jobs])
            ended = [(owner, cluster.job(job)) for owner, job in jobs]
        runs = _runs(log, [*visits, *(job for _, job in ended)])
        return Found(ended, visits, released, runs)


def _wanted(size: Size, number: int) -> list[tuple[str, int, str]]:
    """(owner, steps, model) in order of arrival."""
    chance = random.Random(number)
    jobs = [
        (owner, steps, MODELS[(place + turn) % 2])
        for turn, owner in enumerate(OWNERS)
        for steps, count in SIZES.items()
        for place in range(count)
    ]
    chance.shuffle(jobs)
    return jobs[: size.count(len(jobs), 12)]


def _visits(cluster: Cluster, number: int, log: Path, size: Size, work: Sequence[str]) -> list[Job]:
    """The visitor's jobs, as they ended; there are some until the work is over."""
    chance, visits = random.Random(number), list[Job]()

    def is_over(job: str) -> bool:
        return cluster.job(job).status.final

    while not visits or not all(map(is_over, work)):
        job = _submit(cluster, VISITOR, 1, chance.choice(MODELS), _script(size, log))
        wait_for(partial(is_over, job), PATIENCE_SECONDS, "a visitor's job")
        visits.append(cluster.job(job))
        threading.Event().wait(size.of(VISIT_SECONDS, 0.1))
    return visits


def _script(size: Size, log: Path) -> str:
    """The prompt by which a job takes as long as it should, and its run is written down."""
    return f"sleep={_step(size):g} log={log}"


def _step(size: Size) -> float:
    return size.of(STEP_SECONDS, 0.002)


def _submit(cluster: Cluster, owner: str, steps: int, model: str, prompt: str) -> str:
    resolved = cluster.catalog.resolve("text-to-image", model, {"prompt": prompt, "steps": steps})
    inputs = resolved.inputs
    new = NewJob(
        new_job_id(), owner, "text-to-image", model, "image", inputs.as_json(), resolved.cost,
        batch=inputs.batch(), rows=inputs.n,
    )  # fmt: skip
    return cluster.queue.enqueue([new]).jobs[0].id


def _catalog(folder: Path, size: Size) -> Path:
    """Two models; the cost of a job is its seconds."""
    rows = []
    for name in MODELS:
        weights = folder / name.replace("/", "-")
        weights.mkdir()
        load = size.of(LOAD_SECONDS, 0.1)
        (weights / "behaviour.txt").write_text(f"load_sleep={load:g} bytes={HELD}")
        rows.append(ROW.format(name=name, folder=weights, rate=_step(size) / (64 * 64 / 1e6)))
    (file := folder / "catalog.toml").write_text("".join(rows))
    return file


def _worker(ours: Bench, cluster: Cluster, program: str) -> Part:
    environ = {
        **clean_environment(),
        **ours.settings.environ(),
        "PYTHONPATH": f"{ROOT}:{FAKE_FAMILY}",
    }
    command = [sys.executable, "-m", program, "--device", "cpu"]
    log = ours.folder / "worker.log"
    return Part(
        "worker", command, environ, log, lambda _: any(info.parked for info in cluster.queue.workers())
    )


@contextmanager
def _operator(ours: Bench) -> Iterator[Operator]:
    bell = Doorbell(make_celery(ours.settings, ["image"]))
    try:
        yield Operator(ours.state.client(), limits=Limits(), ring=bell.ring)
    finally:
        bell.close()


def _runs(log: Path, jobs: Sequence[Job]) -> list[Run]:
    """What the family has run, a line for each job of a batch."""
    models = {job.attempts[-1].id: job.model for job in jobs}
    began, runs = dict[str, float](), list[Run]()
    for line in map(json.loads, log.read_text().splitlines()):
        if line["event"] == "started":
            began[line["request"]] = line["seconds"]
        else:
            attempt = line["request"]
            runs.append(Run(models[attempt], began[attempt], line["seconds"] - began[attempt]))
    return sorted(runs, key=lambda run: run.began)


def _started(job: Job) -> float:
    return job.attempts[-1].started_at / 1000


def _ended(job: Job) -> float:
    return (job.attempts[-1].ended_at or 0) / 1000


def _done(job: Job, until: float) -> float:
    """The part of it that was done by then."""
    return min(1.0, max(0.0, (until - _started(job)) / (_ended(job) - _started(job))))
