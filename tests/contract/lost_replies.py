"""Calls that run every script, on a stage that can lose the reply to each of them.

A client that gets no reply sends the same again, so a lost reply must change nothing: neither what the
caller is told in the end, nor what the state server then holds. A new script belongs into one of the acts.
"""

import contextlib
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import redis

from infra.archive import Archive
from infra.backup import restore, take
from infra.connections import Durability
from infra.errors import TooFast, WorkerPaused
from infra.jobs.answers import Filters, Limits, WorkerCard
from infra.jobs.bulk import Bulk
from infra.jobs.operator import Operator, What
from infra.jobs.owners import Owners, OwnerSettings
from infra.jobs.queue import JobQueue
from infra.jobs.record import (
    Artifact,
    Idempotency,
    Job,
    JobError,
    NewJob,
    Outcome,
    new_attempt_id,
    new_job_id,
)
from infra.jobs.scripts import PREFIX
from infra.storage.folder import FolderStorage
from infra.uploads import Uploads
from infra.webhooks.endpoints import Endpoints
from infra.webhooks.messages import DeliveryAttempt, DeliveryState
from infra.webhooks.outbox import Outbox
from infra.webhooks.outbox import Outcome as Delivered
from tests.chaos.proxy import Proxy
from tests.contract.jobs_snapshot import Snapshot

TIME = re.compile(r"\b1\d{12}(\.0)?\b")
"""Epoch milliseconds, which differ between two runs."""

CARD = WorkerCard("w1", "host", 1, "cpu", queues=("image",), models=("plain",))
FLAKY = JobError("flaky", "It failed.", retryable=True)
RESULT = Artifact("0.png", 0, "output", 7, "image/png", 10, "ab")


@dataclass
class Stage:
    """What the acts work with, and what they were told."""

    state: redis.Redis
    """Straight to the server."""
    folder: Path
    """For what is archived."""
    client: redis.Redis
    """What the calls go through: the server, or the proxy before it."""
    durability: Durability = "always"
    proxy: Proxy | None = None
    """Loses the reply to the first script of each call."""
    told: list[str] = field(default_factory=list)
    lost: int = 0
    """Replies."""

    def __post_init__(self) -> None:
        self.archive = Archive(FolderStorage(self.folder))
        self.queue = JobQueue(self.client, limits=Limits(), durability=self.durability, archive=self.archive)
        self.uploads = Uploads(self.client, expires_seconds=60, owner_bytes=100)
        self.operator = Operator(self.client, limits=Limits(), durability=self.durability)
        self.owners = Owners(self.client, limits=Limits(), durability=self.durability)
        self.endpoints = Endpoints(self.client, self.durability)
        self.outbox = Outbox(self.client, self.durability)

    def call(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Make a call, and note what it answers."""
        answer = self.do(call, *arguments)
        self.told.append(TIME.sub("T", repr(answer)))
        return answer

    def do(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Make a call whose answer only says whether it was this one that changed something."""
        if self.proxy is not None:
            self.proxy.lose_replies(1, to=b"EVALSHA")
        answer = call(*arguments)
        if self.proxy is not None:
            assert self.proxy.losses_left == 0, f"{call} ran no script"
            self.lost += 1
        return answer

    def wait(self, seconds: float) -> None:
        """Move the clock on, as if somebody had ticked all the while."""
        skew = self.state.incrby(f"{PREFIX}skew", round(seconds * 1000))
        real_seconds, micros = self.state.time()
        self.state.set(f"{PREFIX}ticked_at", real_seconds * 1000 + micros // 1000 + skew)
        self.do(self.queue.tick)

    def new(self, **given: Any) -> NewJob:
        job = NewJob(new_job_id(), "ann", "text-to-image", "plain", "image", {"n": 1}, 1.0)
        return replace(job, **given)

    def add(self, **given: Any) -> Job:
        job: Job = self.call(self.queue.enqueue, [self.new(**given)]).jobs[0]
        return job

    def start(self, **given: Any) -> tuple[str, str]:
        """Ids of a job that runs, and of its attempt."""
        self.add(**given)
        attempt_id = new_attempt_id()
        return self.call(self.queue.claim, CARD, attempt_id).id, attempt_id

    def claim_if_allowed(self) -> None:
        """A paused worker is told so."""
        with contextlib.suppress(WorkerPaused):
            self.call(self.queue.claim, CARD, new_attempt_id())

    def commit(self, job_id: str, attempt_id: str) -> None:
        self.call(self.queue.commit, job_id, attempt_id, f"m/{attempt_id}", "sha", [RESULT])

    def held(self) -> str:
        """All that the server holds, without times and without what a proxy changes."""
        data = Snapshot.take(self.state).data
        data.pop("confirm", None)
        for name in [name for name in data if name.startswith("rate:")]:
            data[name] = {part: round(float(data[name][part]), 1) for part in ("jobs", "cost")}
        settings = data.get("owner_settings", {})  # JSON, whose fields stand in any order
        data["owner_settings"] = {owner: json.loads(text) for owner, text in settings.items()}
        return TIME.sub("T", json.dumps(data, sort_keys=True, indent=0))


def lives(stage: Stage) -> None:
    """From enqueue to every end; leases, pauses and deadlines that pass."""
    queue = stage.queue
    stage.do(queue.tick)
    first = stage.new(webhook="we_1")
    chain = [first, stage.new(waits_for=[first.id], webhook="we_1")]
    for _ in range(2):
        stage.call(queue.enqueue, chain, Idempotency("key", "print"))
    stage.call(queue.standing, queue.get(first.id))
    attempt_id = new_attempt_id()
    stage.call(queue.claim, CARD, attempt_id)
    stage.call(queue.beat, [(first.id, attempt_id)], CARD, {attempt_id: {"fraction": 0.5}})
    stage.call(queue.emit, first.id, attempt_id, "job.output", {"attempt": attempt_id, "delta": "a"})
    stage.commit(first.id, attempt_id)
    for outcome in (Outcome.FAILED, Outcome.RELEASED, Outcome.CRASHED):
        attempt_id = new_attempt_id()
        job = stage.call(queue.claim, CARD, attempt_id)
        stage.call(queue.requeue, job.id, attempt_id, outcome, FLAKY if outcome is Outcome.FAILED else None)
        stage.wait(5)
    stage.call(queue.claim, CARD, new_attempt_id())
    for _ in range(2):
        stage.wait(9)
    stage.add(start_deadline_seconds=1)
    stage.wait(2)
    stage.call(queue.claim, replace(CARD, models=()), new_attempt_id())
    stage.call(queue.leave, CARD.id)
    stage.call(queue.list, "ann")


def changes_of_mind(stage: Stage) -> None:
    """Cancel, delete and retry, of what waits, runs and is over."""
    queue = stage.queue
    waiting = stage.add(webhook="we_1")
    stage.call(queue.cancel, waiting.id, "ann")
    stage.call(queue.retry, waiting.id, "ann", new_job_id())
    stage.call(Bulk(stage.state, queue).cancel, ["ann"], Filters())
    stage.call(Bulk(stage.state, queue).retry, ["ann"], Filters())
    running, attempt_id = stage.start(webhook="we_1")
    stage.call(queue.cancel, running, "ann")
    stage.commit(running, attempt_id)
    running, attempt_id = stage.start(webhook="we_1")
    stage.call(queue.delete, running, "ann")
    stage.call(queue.requeue, running, attempt_id, Outcome.CANCELLED)
    stage.call(queue.delete, waiting.id, "ann")
    for job in queue.expired():
        stage.do(queue.forget, job.id)


def webhooks(stage: Stage) -> None:
    """Endpoints, and a message's way to one."""
    endpoints, outbox = stage.endpoints, stage.outbox
    endpoint, _ = stage.call(endpoints.create, "ann", "https://example.org/hook")
    stage.call(endpoints.rotate, endpoint.id, "ann")
    stage.call(endpoints.disable, endpoint.id, "ann")
    stage.call(endpoints.enable, endpoint.id, "ann")
    stage.call(endpoints.rotate_own, "ann")
    stage.call(endpoints.target, endpoint.id, "ann")
    job_id, attempt_id = stage.start(webhook=endpoint.id)
    stage.commit(job_id, attempt_id)
    attempt = DeliveryAttempt(at=1, milliseconds=5, status=500)
    for state in (DeliveryState.PENDING, DeliveryState.FAILED):
        (message,) = stage.call(outbox.take, 1)
        stage.call(outbox.settle, message, Delivered(state, attempt))
    stage.call(outbox.redeliver, message.id, "ann")
    stage.call(endpoints.delete, endpoint.id, "ann")


def operators(stage: Stage) -> None:
    """Pauses, and a job that is raised."""
    operator, queue = stage.operator, stage.queue
    stage.call(queue.claim, CARD, new_attempt_id())
    for what, name in ((What.QUEUE, "image"), (What.MODEL, "plain"), (What.WORKER, CARD.id)):
        stage.call(operator.pause, what, name, "ann", "for a while")
        job = stage.add()
        stage.claim_if_allowed()
        stage.call(operator.front, job.id)
        stage.do(operator.resume, what, name)
        stage.call(queue.claim, CARD, new_attempt_id())


def limits(stage: Stage) -> None:
    """A slow owner, whose every job counts once; another one, whose running limit is raised."""
    change = stage.owners.change
    stage.call(change, "ann", OwnerSettings(weight=2.0, rate=0.001, burst=3, max_running=1))
    for _ in range(3):
        stage.add()
    with contextlib.suppress(TooFast):
        stage.add()
    stage.call(stage.queue.claim, CARD, new_attempt_id())
    stage.call(stage.queue.claim, CARD, new_attempt_id())
    stage.call(change, "ann", OwnerSettings(max_running=2, rate=0.0))
    stage.call(stage.queue.claim, CARD, new_attempt_id())
    stage.add()
    stage.call(change, "ann", OwnerSettings(weight=None))


def archives(stage: Stage) -> None:
    """Records that move to the storage, are known again, and go."""
    queue = stage.queue
    kept, deleted, running = [stage.start(webhook="we_1") for _ in range(3)]
    for job_id, attempt_id in (kept, deleted):
        stage.commit(job_id, attempt_id)
    stage.wait(10)
    stage.call(queue.archive, 1)
    stage.call(queue.list, "ann")
    stage.call(queue.delete, deleted[0], "ann")
    stage.do(queue.forget, deleted[0])
    stage.state.hdel(f"{PREFIX}archived", kept[0])
    stage.do(queue.adopt, "ann", kept[0])
    stage.commit(*running)


def restores(stage: Stage) -> None:
    """A backup's jobs take their places."""
    for _ in range(3):
        stage.start(webhook="we_1")
    done, attempt_id = stage.start()
    stage.commit(done, attempt_id)
    take(stage.state, stage.folder / "backup")
    stage.state.flushall()
    stage.call(restore, stage.client, Limits(), stage.folder / "backup")
    stage.call(stage.queue.list, "ann")


def uploads(stage: Stage) -> None:
    """A file that is counted against its owner, and no more."""
    file = {"filename": "a.png", "media_type": "image/png", "size": 10, "sha256": "ab"}
    reserve = partial(stage.uploads.reserve, "ann", **file)
    upload, other = stage.call(reserve), stage.call(reserve)
    stage.uploads.complete(upload)
    stage.call(stage.uploads.refer, upload.id, ["job_1"])
    stage.call(stage.uploads.forget, other)
    stage.add()


ACTS = (lives, changes_of_mind, webhooks, operators, limits, archives, restores, uploads)


def counted_ids(patch: Callable[[str, Any], None]) -> None:
    """Have random ids count up, so that two runs have the same ones."""
    numbers = itertools.count(1)
    patch("secrets.token_hex", lambda size=16: f"{next(numbers):0{2 * size}x}")
    patch("secrets.token_bytes", lambda size=16: next(numbers).to_bytes(size, "big"))
