"""One soak: a deployment with proxies between its parts, a steady load, one fault after the other."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.jobs.record import Job
from tests.chaos.proxy import Proxy
from tests.chaos.soak.faults import Mischief
from tests.chaos.soak.load import Load, Tally
from tests.chaos.soak.memory import Growth, MemoryWatch, growths
from tests.chaos.storm.deployment import Deployment, s3_url
from tests.chaos.storm.ledger import Ledger, Line, now_ms
from tests.contract.jobs_snapshot import Snapshot, check
from tests.servers import free_port, wait_for

KEPT = {
    "expires_in_seconds": 60,
    "events_keep_seconds": 300,
    "idempotency_hours": 0.05,  # three minutes
}
"""Nothing is kept for long, so that the records of a soak come to a steady number, too."""

TURN_SECONDS = 0.05
TELL_SECONDS = 10.0
QUIET_SECONDS = 120.0
SNAPSHOT_SECONDS = 60.0


@dataclass(frozen=True)
class Soaked:
    """What came of a soak."""

    minutes: float
    tally: Tally
    faults: list[Line]
    growths: list[Growth]
    problems: list[str]
    """Everything that is not as promised; empty, if all is well."""


class Soak:
    """`run` takes `minutes`, and the time for the last jobs to end."""

    def __init__(
        self, folder: Path, *, minutes: float, seed: int, per_second: float, tell: Callable[[str], None]
    ) -> None:
        self._minutes = minutes
        self._tell = tell
        folder.mkdir(parents=True, exist_ok=True)
        s3_port = free_port()
        self._proxies = {
            "state of the api": Proxy(str(folder / "state.sock"), unix=True),
            "state of workers": Proxy(str(folder / "state.sock"), unix=True),
            "broker": Proxy(str(folder / "broker.sock"), unix=True),
            "storage": Proxy(("127.0.0.1", s3_port)),
        }
        self.deployment = Deployment(
            folder,
            workers=3,
            s3_port=s3_port,
            for_workers={"redis_url": self._proxies["state of workers"].redis_url},
            redis_url=self._proxies["state of the api"].redis_url,
            broker_url=self._proxies["broker"].redis_url,
            storage_url=s3_url(self._proxies["storage"].port),
            **KEPT,
        )
        self._ends = Ledger(folder / "ends.jsonl")
        self._faults = Ledger(folder / "faults.jsonl")
        self._memory = Ledger(folder / "memory.jsonl")
        self._load = Load(seed, per_second, self.deployment.client, Ledger(folder / "jobs.jsonl"))
        self._mischief = Mischief(
            seed, self.deployment, self._proxies, self.deployment.workers[-1], self._faults
        )
        self._watch = MemoryWatch(self._long_lived, self._memory)

    def run(self) -> Soaked:
        self.deployment.start()
        for thread in (self._load, self._watch, self._mischief):
            thread.start()
        self._wait(60 * self._minutes)
        self._watch.stop()
        self._mischief.stop()
        self._keep_running()
        self._load.stop()
        return self._judged()

    def stop(self) -> None:
        self.deployment.stop()
        for proxy in self._proxies.values():
            proxy.close()

    def _wait(self, seconds: float) -> None:
        end, told = time.monotonic() + seconds, 0.0
        while time.monotonic() < end:
            self._keep_running()
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                self._tell(f"{self._load.tally.by_status}, {len(self._faults.lines())} faults")
            time.sleep(TURN_SECONDS)

    def _keep_running(self) -> None:
        for part, code in self.deployment.keep_running():
            self._ends.write(at=now_ms(), part=part.name, code=code)

    def _long_lived(self) -> dict[str, psutil.Process | None]:
        """Processes that no fault ends."""
        parts = self.deployment
        workers = {f"worker {number}": part for number, part in enumerate(parts.workers[:-1], start=1)}
        return {
            "API": parts.api.child(),
            **{name: part.process for name, part in workers.items()},
            **{f"engine of {name}": part.child("workers.engine") for name, part in workers.items()},
            "state server": parts.state.process,
            "broker": parts.broker.process,
        }

    # The judgement

    def _judged(self) -> Soaked:
        found = growths(self._memory.lines())
        problems = list(self._load.tally.problems)
        problems += [f"{line['part']} ended by itself with {line['code']}" for line in self._ends.lines()]
        problems += [
            f"{growth.name} grew by {growth.over_the_run:.1f} MiB" for growth in found if not growth.flat
        ]
        problems += self._miscounted()
        return Soaked(self._minutes, self._load.tally, self._faults.lines(), found, problems)

    def _miscounted(self) -> list[str]:
        """What the state server says, once all is quiet, against what the clients have seen."""
        state = self.deployment.state_client(SNAPSHOT_SECONDS)
        queue = JobQueue(state, limits=Limits.from_settings(self.deployment.settings))
        self.deployment.drain_workers()
        wait_for(lambda: not queue.workers(), QUIET_SECONDS, "the end of all registrations of workers")
        snapshot, stats = Snapshot.take(state), queue.queue_stats()
        counted = {
            name: sum(getattr(line, name) for line in stats) for name in ("succeeded", "failed", "cancelled")
        }
        seen = {name: self._load.tally.by_status.get(name, 0) for name in counted}
        problems = [f"the queues count {counted}, the clients {seen}"] if counted != seen else []
        problems += [f"{job.id} is still {job.status}" for job in snapshot.jobs.values() if _is_open(job)]
        try:
            check(snapshot)
        except AssertionError as error:
            problems.append(f"the state contradicts itself: {str(error)[:500]}")
        return problems


def _is_open(job: Job) -> bool:
    return not job.status.final
