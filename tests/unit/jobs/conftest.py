"""A queue on each server, a clock that tests can move, and short names for what every test does."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from infra.jobs.answers import Committed, Limits, WorkerCard
from infra.jobs.bulk import Bulk
from infra.jobs.events import Event, Events
from infra.jobs.operator import Operator
from infra.jobs.owners import Owners
from infra.jobs.queue import JobQueue
from infra.jobs.record import Artifact, Job, NewJob, new_attempt_id, new_job_id
from infra.jobs.scripts import PREFIX
from tests.servers import StateServer

CARD = WorkerCard("w1", "host", 1, "cpu", queues=("image", "text"), models=("plain", "other", "words"))
RESULT = Artifact("0.png", 0, "output", 7, "image/png", 10, "ab")


@dataclass
class Bench:
    """One queue and whoever uses it."""

    state: redis.Redis
    limits: Limits = field(default_factory=Limits)
    rings: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue = JobQueue(self.state, limits=self.limits, ring=self._hear)
        self.events = Events(self.state)
        self.bulk = Bulk(self.state, self.queue)
        self.operator = Operator(self.state, limits=self.limits, ring=self._hear)
        self.owners = Owners(self.state, limits=self.limits, ring=self._hear)
        self.queue.tick()

    def _hear(self, queue: str, job_id: str) -> None:
        self.rings.append((queue, job_id))

    def limited(self, **limits: Any) -> "Bench":
        """The same server under other limits."""
        return Bench(self.state, Limits(**limits))

    def new(self, owner: str = "ann", **given: Any) -> NewJob:
        start = {"kind": "text-to-image", "model": "plain", "queue": "image", "inputs": {"n": 1}, "cost": 1.0}
        return NewJob(owner=owner, **({"id": new_job_id()} | start | given))

    def add(self, owner: str = "ann", **given: Any) -> Job:
        return self.queue.enqueue([self.new(owner, **given)]).jobs[0]

    def claim(self, card: WorkerCard = CARD) -> Job | None:
        return self.queue.claim(card, new_attempt_id())

    def start(self, **given: Any) -> Job:
        """A job that runs."""
        added = self.add(**given)
        job = self.claim()
        assert job is not None
        assert job.id == added.id
        return job

    def commit(self, job: Job) -> Committed:
        assert job.attempt_id is not None
        return self.queue.commit(job.id, job.attempt_id, f"m/{job.attempt_id}", "sha", [RESULT])

    def finish(self, **given: Any) -> Job:
        """A job that has succeeded."""
        job = self.start(**given)
        assert self.commit(job) is Committed.OK
        return self.queue.get(job.id)

    def wait(self, seconds: float) -> None:
        """Move the clock on, as if the rescuer had ticked all the while."""
        skew = self.state.incrby(f"{PREFIX}skew", round(seconds * 1000))
        real_seconds, micros = self.state.time()
        self.state.set(f"{PREFIX}ticked_at", real_seconds * 1000 + micros // 1000 + skew)
        assert not self.queue.tick().grace

    def told(self, job: Job, after: str | None = None) -> list[Event]:
        return self.events.read(job.id, after)


@pytest.fixture
def bench(state_server: StateServer) -> Iterator[Bench]:
    """On Valkey, then on Redis 7.0."""
    client = state_server.client()
    yield Bench(client)
    client.close()
