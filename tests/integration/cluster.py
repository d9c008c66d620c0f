"""A deployment's parts for tests: worker processes on real servers, jobs for them, and conditions to wait
for.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from infra.broker import Doorbell, make_celery
from infra.connections import connect
from infra.errors import StateUnavailable
from infra.jobs.answers import Limits, WorkerInfo
from infra.jobs.queue import JobQueue
from infra.jobs.record import Attempt, Job, NewJob, Outcome, Status, new_job_id
from infra.settings import Settings
from infra.storage import Storage, open_storage
from infra.storage.keys import artifact_key
from pipelines.catalog import Catalog
from tests.servers import STALL_SECONDS, StateServer, wait_for

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
FAKE_FAMILY = TESTS / "fake_family"
FAKE_CATALOG = FAKE_FAMILY / "catalog.toml"
OWNER = "local"
READY_SECONDS = 60.0  # for a worker to start on a busy machine
END_SECONDS = 20.0


class WorkerProcess:
    """`python -m workers` with a cluster's settings, in a process of its own. Its log goes to a file.

    `root` is where the code is that it runs.
    """

    def __init__(
        self,
        settings: Settings,
        log: Path,
        arguments: Iterable[str] = ("--device", "cpu"),
        root: Path = ROOT,
    ) -> None:
        self.log = log
        environ = {
            **os.environ,
            **settings.environ(),
            "PYTHONPATH": f"{root}{os.pathsep}{root / FAKE_FAMILY.relative_to(ROOT)}",
        }
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "workers", *arguments],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environ, cwd=root,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def engine_pid(self) -> int | None:
        """Process id of its engine, if it has one."""
        for child in psutil.Process(self.pid).children():
            if "workers.engine" in child.cmdline():
                return child.pid
        return None

    def wait_for_engine(self, other_than: int | None = None) -> int:
        """The engine's process id, once there is an engine (another one, if `other_than` is given)."""
        wait_for(lambda: self.engine_pid not in (None, other_than), READY_SECONDS, "the worker's engine")
        pid = self.engine_pid
        assert pid is not None
        return pid

    def records(self, action: str = "") -> list[dict[str, Any]]:
        """The log's records, of one action if it is given."""
        whole, _, _ = self.log.read_text().rpartition("\n")  # the last line may be half written
        found = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [record for record in found if not action or record["action"] == action]

    def terminate(self) -> None:
        """Have it drain."""
        self.process.terminate()

    def kill(self) -> None:
        """SIGKILL, as a lost host."""
        self.process.kill()
        self.process.wait()

    def wait(self, seconds: float = END_SECONDS) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(seconds)

    def end(self) -> None:
        """End it by force, if it has not ended."""
        if self.process.poll() is None:
            self.kill()


@dataclass
class Cluster:
    """State server, broker and storage as the settings name them. `close` ends the workers started here."""

    settings: Settings
    folder: Path
    ring: Callable[[str, str], None] = lambda queue, job_id: None
    workers: list[WorkerProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = connect(self.settings.state_address, timeout=STALL_SECONDS, name="atelier-tests")
        self.queue = JobQueue(self.state, limits=Limits.from_settings(self.settings), ring=self.ring)
        self.storage: Storage = open_storage(self.settings)
        self.catalog = Catalog.load([FAKE_CATALOG])

    def start_worker(self, *arguments: str, **changes: Any) -> WorkerProcess:
        """A worker that has claimed for the first time; `changes` are settings of its own."""
        worker = self.run_worker(*(arguments or ("--device", "cpu")), **changes)
        wait_for(lambda: self._is_known(worker), READY_SECONDS, f"a ready worker, logging to {worker.log},")
        return worker

    def start_fleet(self, devices: str) -> WorkerProcess:
        """A process with a worker for each of the devices, once all of them have claimed."""
        count = len(devices.split(","))
        fleet = self.run_worker("--device", devices)
        wait_for(
            lambda: sum(info.parked for info in self.queue.workers()) == count,
            READY_SECONDS,
            f"a fleet of {count}, logging to {fleet.log},",
        )
        return fleet

    def run_worker(self, *arguments: str, **changes: Any) -> WorkerProcess:
        """`python -m workers` with these arguments, not waited for."""
        settings = self.settings.model_copy(update=changes)
        worker = WorkerProcess(settings, self.folder / f"worker{len(self.workers)}.log", arguments)
        self.workers.append(worker)
        return worker

    def use_catalog(self, file: Path) -> None:
        """Submit jobs of the models of this catalog file from now on."""
        self.catalog = Catalog.load([file])

    def close(self) -> None:
        """End every worker."""
        for worker in self.workers:
            worker.end()

    def info(self, worker: WorkerProcess) -> WorkerInfo | None:
        """What the queue knows of a worker."""
        return next((info for info in self.queue.workers() if info.card.pid == worker.pid), None)

    def worker_of(self, job: Job) -> WorkerProcess:
        """The worker that has a running job."""
        ids = {info.card.id: info.card.pid for info in self.queue.workers()}
        pid = ids[last_attempt(job).worker]
        return next(worker for worker in self.workers if worker.pid == pid)

    def submit(
        self, prompt: str, model: str = "test/fake", *, inputs: dict[str, Any] | None = None, **fields: Any
    ) -> Job:
        """A job of a fake model, as the API would enqueue it."""
        kind = fields.pop("kind", self.catalog.get(model).kinds[0])
        resolved = self.catalog.resolve(kind, model, {"prompt": prompt, **(inputs or {})})
        new = NewJob(
            id=new_job_id(),
            owner=OWNER,
            kind=kind,
            model=model,
            queue=resolved.model.queue,
            inputs=resolved.inputs.as_json(),
            cost=resolved.cost,
            batch=resolved.inputs.batch(),
            rows=resolved.inputs.n,
            **fields,
        )
        return self.queue.enqueue([new]).jobs[0]

    def job(self, job_id: str) -> Job:
        """The record as it stands."""
        return self.queue.get(job_id)

    def wait_until(
        self, job: Job, condition: Callable[[Job], object], seconds: float = END_SECONDS, what: str = "it"
    ) -> Job:
        """The record, once it fulfils the condition. A state server that is away is waited for, too."""
        return_value: list[Job] = []

        def fulfilled() -> bool:
            try:
                found = self.job(job.id)
            except StateUnavailable:
                return False
            return_value[:] = [found]
            return bool(condition(found))

        try:
            wait_for(fulfilled, seconds, f"{what} for {job.id}")
        except BaseException as error:
            error.add_note(f"The record at last: {return_value}")
            raise
        return return_value[0]

    def wait_for_status(self, job: Job, status: Status, seconds: float = END_SECONDS) -> Job:
        """The record, once it has this status."""
        return self.wait_until(job, lambda found: found.status is status, seconds, status.value)

    def wait_for_end(self, job: Job, seconds: float = END_SECONDS) -> Job:
        """The record, once it is final."""
        return self.wait_until(job, lambda found: found.status.final, seconds, "an end")

    def wait_for_step(self, job: Job, step: int = 1, seconds: float = END_SECONDS) -> Job:
        """The record, once its progress (that of the last beat) has come to `step`."""
        return self.wait_until(
            job, lambda found: found.progress and found.progress["step"] >= step, seconds, f"step {step}"
        )

    def read_artifact(self, job: Job, name: str) -> bytes:
        """The bytes of an artifact of a job that has succeeded."""
        assert job.attempt_id is not None
        return self.storage.read(artifact_key(job.owner, job.id, job.attempt_id, name))

    def stored(self, job: Job) -> list[str]:
        """Keys of everything that is stored for a job, sorted."""
        return sorted(self.storage.list(f"{job.owner}/{job.id}/"))

    def _is_known(self, worker: WorkerProcess) -> bool:
        assert worker.process.poll() is None, worker.log.read_text()
        info = self.info(worker)
        return info is not None and (info.parked or bool(info.jobs))


@contextmanager
def running_cluster(
    folder: Path, state: StateServer, broker: StateServer, **changes: Any
) -> Iterator[Cluster]:
    """A cluster on these servers, without workers yet; `changes` are settings."""
    values = {
        "home": folder / "home",
        "redis_url": state.url,
        "broker_url": broker.url,
        "catalog": str(FAKE_CATALOG),
    }
    settings = Settings(**{**values, **changes})
    doorbell = Doorbell(make_celery(settings, settings.queue_names))
    cluster = Cluster(settings, folder, doorbell.ring)
    try:
        yield cluster
    finally:
        cluster.close()
        doorbell.close()


def outcomes(job: Job) -> list[Outcome | None]:
    """How each attempt ended, oldest first."""
    return [attempt.outcome for attempt in job.attempts]


def last_attempt(job: Job) -> Attempt:
    """The newest attempt."""
    return job.attempts[-1]


def now_ms() -> int:
    """This machine's clock, which the test's servers share."""
    return time.time_ns() // 1_000_000
