"""(d) Sixty-four queued pictures of one shape, beside the loop that one would write for just them, beside
LitServe and beside a Celery task a picture.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx
import psutil

from infra.broker import Doorbell, make_celery
from infra.jobs.answers import Limits
from infra.jobs.operator import Operator, What
from infra.jobs.record import Status
from tests.bench.figures import Goal, Result, Size
from tests.bench.parts import Bench, bench, durable
from tests.bench.pictures import MODEL, prompt_of
from tests.chaos.storm.part import Part
from tests.integration.cluster import ROOT, Cluster, WorkerProcess
from tests.servers import StateServer, clean_environment, free_port, wait_for
from workers.engine_process import PATIENT, STEADY

COUNT, TASKS = 64, 8
PATIENCE_SECONDS = 600.0
LITSERVE = os.environ.get("BENCH_LITSERVE", "")
"""Folder that LitServe was installed in (`pip install --target FOLDER -c constraints.txt litserve`)."""

UNITS = {
    "ours": "Atelier, pictures/s",
    "direct": "direct loop, pictures/s",
    "celery": "Celery, a task a picture, pictures/s",
    "ratio": "Atelier by the direct loop",
    "celery_ratio": "Atelier by Celery",
}
WITH_LITSERVE = {"litserve": "LitServe, pictures/s", "litserve_ratio": "Atelier by LitServe"}
GOALS = (
    Goal("ratio", "≥", 0.97, "≥ 0.97 of the direct loop"),
    Goal("celery_ratio", "≥", 1.0, "ahead of Celery with a task a picture"),
)
AHEAD_OF_LITSERVE = Goal("litserve_ratio", "≥", 1.0, "ahead of LitServe")

Timed = Callable[[int, Path], float]
"""Makes so many pictures, in the folder where it may choose; the seconds that it took."""


def run(size: Size) -> Result:
    """All of them are warm, and take turns within each run."""
    count, tasks = size.count(COUNT, 2), size.count(TASKS, 1)
    result = Result(
        "images",
        "Queued pictures",
        f"{count} jobs of {MODEL} (64 × 64, 25 steps), of one owner, are queued while their queue is paused;"
        " a real worker on a state server that syncs every write, artifacts in a folder. From when the"
        " queue is released to when the last job is committed, with all that a job gets: progress, previews,"
        " thumbnail, metadata, manifest. The direct loop: diffusers in batches of 8 in one process, PNG files"
        " written and synced by a thread beside the next batch, from the first call to the last file."
        " LitServe: the same model, `max_batch_size` 8, all requests at once, files written as the loop does."
        f" Celery: one solo worker, a task a picture, of {tasks} pictures. All have the same thread settings"
        " and have made pictures before; the rivals' processes are stopped while it is not their turn.",
        UNITS | (WITH_LITSERVE if LITSERVE else {}),
        (*GOALS, AHEAD_OF_LITSERVE) if LITSERVE else GOALS,
        bars=("ours", "direct", "litserve", "celery"),
    )
    if not LITSERVE:
        result.notes.append("LitServe was not there in this run; `BENCH_LITSERVE` names its folder.")
    with bench() as ours, ExitStack() as stack:
        rivals = _rivals(ours, stack)
        for make in rivals.values():
            make(size.count(8, 1), ours.folder)
        for number in range(size.runs):
            _run(result, size, rivals, ours.folder / f"run{number}")
            size.tell(f"images {number + 1}/{size.runs}: {result.runs['ratio'][-1]:.3f} of the loop")
    return result


def _run(result: Result, size: Size, rivals: dict[str, Timed], folder: Path) -> None:
    rates = {}
    for name, make in rivals.items():
        count = size.count(TASKS, 1) if name == "celery" else size.count(COUNT, 2)
        (place := folder / name).mkdir(parents=True)
        rates[name] = count / make(count, place)
    others = {f"{name}_ratio": rates["ours"] / rate for name, rate in rates.items()}
    ratio = others.pop("direct_ratio")
    others.pop("ours_ratio")
    result.add(**rates, ratio=ratio, **others)


def _rivals(ours: Bench, stack: ExitStack) -> dict[str, Timed]:
    """Started, ourselves among them, in the order of their turns."""
    found = {
        "ours": stack.enter_context(_atelier(ours)),
        "direct": stack.enter_context(_direct()),
        "celery": stack.enter_context(_celery(ours, stack.enter_context(durable()))),
    }
    return found | ({"litserve": stack.enter_context(_litserve(ours))} if LITSERVE else {})


@contextmanager
def _frozen(process: psutil.Process, make: Timed) -> Iterator[Timed]:
    """The same; the process and its children run only while it is their turn."""

    def family() -> list[psutil.Process]:
        return [process, *process.children(recursive=True)]

    def on_its_turn(count: int, folder: Path) -> float:
        for each in family():
            each.resume()
        try:
            return make(count, folder)
        finally:
            for each in family():
                each.suspend()

    try:
        yield on_its_turn
    finally:
        for each in family():  # what is stopped hears no more gentle word
            each.kill()


@contextmanager
def _atelier(ours: Bench) -> Iterator[Timed]:
    bell = Doorbell(make_celery(ours.settings, ["image"]))
    operator = Operator(ours.state.client(), limits=Limits(), ring=bell.ring)
    cluster = Cluster(ours.settings, ours.folder)
    try:
        worker = cluster.start_worker(lease_seconds=600)
        yield partial(_queued, cluster, worker, operator)
    finally:
        cluster.close()
        bell.close()


def _queued(cluster: Cluster, worker: WorkerProcess, operator: Operator, count: int, folder: Path) -> float:
    operator.pause(What.QUEUE, "image", "bench", "")
    jobs = [cluster.submit(prompt_of(number), MODEL, inputs={"seed": number}).id for number in range(count)]
    wait_for(lambda: (info := cluster.info(worker)) and info.parked, 10, "a worker that waits")
    begun = time.time()
    operator.resume(What.QUEUE, "image")
    wait_for(lambda: _all_ended(cluster), PATIENCE_SECONDS, "the last job")
    ended = [cluster.job(job) for job in jobs]
    assert {job.status for job in ended} == {Status.SUCCEEDED}
    return max(job.attempts[-1].ended_at or 0 for job in ended) / 1000 - begun


def _all_ended(cluster: Cluster) -> bool:
    time.sleep(0.1)  # a look is not free; what is measured is in the records
    usage = cluster.queue.owner_usage("local")
    return usage.queued + usage.running == 0


@contextmanager
def _direct() -> Iterator[Timed]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.pictures"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=_environ(),
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    told, answers = process.stdin, process.stdout

    def make(count: int, folder: Path) -> float:
        print(count, folder, file=told, flush=True)
        return float(answers.readline())

    with process, _frozen(psutil.Process(process.pid), make) as on_its_turn:
        yield on_its_turn


@contextmanager
def _celery(ours: Bench, broker: StateServer) -> Iterator[Timed]:
    os.environ["BENCH_BROKER"] = broker.url  # the application is imported with it
    from tests.bench.picture_task import celery
    from tests.bench.picture_task import make as task

    celery.conf.broker_url = f"redis+socket://{broker.socket}"
    command = [sys.executable, "-m", "celery", "-A", "tests.bench.picture_task:celery", "worker"]
    command += ["--pool", "solo", "--loglevel", "error", "--without-gossip", "--without-mingle"]
    environ = {**_environ(), "BENCH_BROKER": broker.url}

    def make(count: int, folder: Path) -> float:
        begun = time.time()
        for number in range(count):
            task.delay(number, str(folder))
        files = [folder / f"{number}.png" for number in range(count)]
        wait_for(lambda: all(file.exists() for file in files), PATIENCE_SECONDS, "the last task")
        wait_for(lambda: not broker.client().hlen("unacked"), PATIENCE_SECONDS, "its acknowledgement")
        return max(file.stat().st_mtime for file in files) - begun

    with (
        _part(Part("celery", command, environ, ours.folder / "celery.log", lambda _: True)) as process,
        _frozen(process, make) as on_its_turn,
    ):
        yield on_its_turn


@contextmanager
def _litserve(ours: Bench) -> Iterator[Timed]:
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.picture_server", str(port)]
    environ = {**_environ(), "PYTHONPATH": f"{ROOT}{os.pathsep}{LITSERVE}"}
    url = f"http://127.0.0.1:{port}"
    client = httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE_SECONDS, limits=httpx.Limits())

    def ask(file: Path) -> None:
        answer = client.post("/predict", json={"number": int(file.stem), "file": str(file)})
        answer.raise_for_status()

    def make(count: int, folder: Path) -> float:
        with ThreadPoolExecutor(count) as pool:
            begun = time.perf_counter()
            list(pool.map(ask, [folder / f"{number}.png" for number in range(count)]))
            return time.perf_counter() - begun

    def ready(part: Part) -> bool:
        try:
            return client.get("/health", timeout=2).is_success
        except httpx.TransportError:
            return False

    with (
        client,
        _part(Part("litserve", command, environ, ours.folder / "litserve.log", ready)) as process,
        _frozen(process, make) as on_its_turn,
    ):
        yield on_its_turn


@contextmanager
def _part(part: Part) -> Iterator[psutil.Process]:
    part.start()
    try:
        wait_for(lambda: part.ready or not part.running, PATIENCE_SECONDS, part.name)
        wait_for(lambda: part.process, 10, part.name)
        process = part.process
        assert process is not None
        yield process
    finally:
        part.stop()


def _environ() -> dict[str, str]:
    """With the settings for threads that our engine has; without them the rivals are slower here."""
    return {**clean_environment(), **PATIENT, **STEADY, "PYTHONPATH": str(ROOT)}
