"""Everything that the state server holds of the jobs, read at once, and what must always be true of it."""

import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import redis

from infra.jobs.codec import pairs, read_job
from infra.jobs.record import Job, Outcome, Status
from infra.jobs.scripts import PREFIX
from infra.webhooks.outbox import message_id

QUEUED_PLACES = ("ready", "delayed", "waiting")
READ_ALL = """
local readers = {
  hash = function(key) return redis.call('HGETALL', key) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
  set = function(key) return redis.call('SMEMBERS', key) end,
  string = function(key) return redis.call('GET', key) end,
  stream = function(key) return redis.call('XLEN', key) end,
}
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  found[key] = {kind, readers[kind](key)}
end
return cjson.encode(found)
"""


@dataclass(frozen=True)
class Snapshot:
    """All keys and values, zsets as dicts from member to score. Names are without the prefix."""

    data: dict[str, Any]

    @classmethod
    def take(cls, state: redis.Redis) -> "Snapshot":
        found = json.loads(str(state.eval(READ_ALL, 0)))
        assert all(key.startswith(PREFIX) for key in found), list(found)
        return cls({key.removeprefix(PREFIX): _value(*typed) for key, typed in found.items()})

    def zset(self, name: str) -> dict[str, float]:
        return self.data.get(name, {})

    def members(self, name: str) -> set[str]:
        return set(self.data.get(name, ()))

    def counters(self, name: str) -> dict[str, str]:
        return self.data.get(name, {})

    def number(self, name: str) -> float:
        return float(self.data.get(name, 0))

    def named(self, first: str) -> dict[str, Any]:
        """The keys that begin so, by what follows."""
        return {
            name.removeprefix(first): value for name, value in self.data.items() if name.startswith(first)
        }

    @cached_property
    def jobs(self) -> dict[str, Job]:
        return {job_id: read_job(fields) for job_id, fields in self.named("j:").items()}

    def place(self, job: Job) -> str:
        return self.data[f"j:{job.id}"]["place"]

    @cached_property
    def queues(self) -> set[str]:
        return {job.queue for job in self.jobs.values()} | self.members("queues")

    @cached_property
    def owners(self) -> set[str]:
        return {job.owner for job in self.jobs.values()}

    def is_blocked(self, owner: str, queue: str) -> bool:
        return queue in self.members(f"blocked:{owner}")

    def ready(self, queue: str, *, claimable: bool = False) -> list[Job]:
        """Ready jobs of the queue; `claimable` leaves out those of blocked owners."""
        found = [job for job in self.jobs.values() if job.queue == queue and self.place(job) == "ready"]
        return [job for job in found if not (claimable and self.is_blocked(job.owner, queue))]

    def parked(self, queue: str) -> set[str]:
        return set(self.zset(f"park:{queue}"))

    def parked_anywhere(self) -> set[str]:
        return {worker for name in self.named("park:") for worker in self.zset(f"park:{name}")}

    def can_run(self, worker: str, model: str) -> bool:
        return f"model:{model}" in self.counters(f"w:{worker}")


def _value(kind: str, value: Any) -> Any:
    if kind == "hash":
        return pairs(value)
    if kind == "zset":
        return {member: float(score) for member, score in pairs(value).items()}
    return value


def check(now: Snapshot, *, streams: bool = True) -> None:
    """Fails when anything contradicts anything else; without `streams` events may be missing."""
    for job in now.jobs.values():
        _check_place(now, job)
        _check_attempts(job)
    _check_counters(now)
    _check_indexes(now)
    for queue in now.queues:
        _check_queue(now, queue)
    _check_workers(now)
    _check_dependants(now)
    _check_front(now)
    _check_outbox(now)
    if streams:
        assert set(now.named("ev:")) == {job.id for job in now.jobs.values() if job.attempts}


def _check_place(now: Snapshot, job: Job) -> None:
    """Each job that is not final stands in exactly one place, which fits its status; a final one in none."""
    places = {
        "ready": job.id in now.zset(f"rdy:{job.queue}:{job.owner}:{job.model}"),
        "delayed": job.id in now.zset("delayed"),
        "waiting": job.id in now.zset("waiting"),
        "running": job.id in now.zset("lease"),
    }
    place = now.place(job)
    assert [name for name, there in places.items() if there] == ([place] if place else []), (job, places)
    expected = {Status.QUEUED: QUEUED_PLACES, Status.RUNNING: ("running",)}.get(job.status, ("",))
    assert place in expected, (job, place)
    assert (job.not_before is not None) == (place == "delayed"), job


def _check_attempts(job: Job) -> None:
    """One attempt may be open, the running one; at most one has succeeded, and that ended the job."""
    assert [attempt.number for attempt in job.attempts] == list(range(1, len(job.attempts) + 1)), job
    open_ones = [attempt.id for attempt in job.attempts if attempt.ended_at is None]
    assert open_ones == ([job.attempt_id] if job.status is Status.RUNNING else []), job
    succeeded = [attempt.id for attempt in job.attempts if attempt.outcome is Outcome.SUCCEEDED]
    assert succeeded == ([job.attempt_id] if job.status is Status.SUCCEEDED else []), job
    outcomes = Counter(attempt.outcome for attempt in job.attempts)
    assert job.fails == outcomes[Outcome.FAILED] or job.cancel_requested_at or job.timed_out_at, job
    assert (job.status is Status.FAILED) == (job.error is not None), job
    assert (job.manifest is not None) == (job.status is Status.SUCCEEDED), job


def _check_counters(now: Snapshot) -> None:
    total, by_owner, by_queue = Counter(), Counter(), Counter()
    for job in now.jobs.values():
        if not job.status.final:
            total[job.status] += 1
            by_owner[job.owner, job.status] += 1
            by_queue[job.queue, now.place(job)] += 1
    for status in ("queued", "running"):
        assert int(now.counters("count").get(status, 0)) == total[status]
        for owner in now.owners:
            assert int(now.counters(f"count:{owner}").get(status, 0)) == by_owner[owner, status], owner
    for queue in now.queues:
        for place in (*QUEUED_PLACES, "running"):
            assert int(now.counters(f"queue:{queue}").get(place, 0)) == by_queue[queue, place], (queue, place)


def _check_indexes(now: Snapshot) -> None:
    archived = set(now.counters("archived"))  # their records are in the storage, their lines here
    for owner in now.owners:
        mine = [job for job in now.jobs.values() if job.owner == owner]
        assert set(now.zset(f"live:{owner}")) == {job.id for job in mine if not job.status.final}
        listed = {job.id for job in mine if not job.delete_requested_at}
        assert set(now.zset(f"jobs:{owner}")) - archived == listed
    finals = {job.id for job in now.jobs.values() if job.status.final}
    assert set(now.zset("expiring")) == finals | archived
    assert set(now.zset("deadlines")) <= {job.id for job in now.jobs.values() if not job.status.final}


def _check_queue(now: Snapshot, queue: str) -> None:
    """The ready jobs, and every set that leads a claim to them."""
    ready = now.ready(queue)
    assert set(now.zset(f"since:{queue}")) == {job.id for job in ready}
    sharing = [job for job in ready if job.batch and not job.alone]
    for line in {f"{job.owner}:{job.model}:{job.batch}" for job in now.jobs.values() if job.batch}:
        expected = {job.id for job in sharing if f"{job.owner}:{job.model}:{job.batch}" == line}
        assert set(now.zset(f"alike:{queue}:{line}")) == expected, line
    claimable = now.ready(queue, claimable=True)
    clock = now.zset(f"fair:owner:{queue}:active")
    assert set(clock) == {job.owner for job in claimable}
    assert now.members(f"models:{queue}") == {job.model for job in claimable}
    assert (queue in now.zset("fair:queues:active")) == bool(claimable)
    for owner in now.owners:
        assert now.members(f"owned:{queue}:{owner}") == {job.model for job in ready if job.owner == owner}
    for model in {job.model for job in now.jobs.values()}:
        expected = {job.owner: clock[job.owner] for job in claimable if job.model == model}
        assert now.zset(f"owners:{queue}:{model}") == expected
    assert not set(clock) & set(now.zset(f"fair:owner:{queue}:idle"))


def _check_workers(now: Snapshot) -> None:
    """A parked worker is a live one, parked in all its queues."""
    cards = now.named("w:")
    assert set(cards) == set(now.zset("workers"))
    for queue in now.queues:
        assert now.parked(queue) <= set(cards)
    for worker, card in cards.items():
        parked = {queue for queue in now.queues if worker in now.parked(queue)}
        assert parked in (set(), set(json.loads(card["queues"]))), (worker, parked)


def _check_dependants(now: Snapshot) -> None:
    """A waiting job is known to each job that it still waits for, and to no other."""
    known = {(job_id, dependant) for job_id, ids in now.named("dep:").items() for dependant in ids}
    for job in now.jobs.values():
        open_ones = {
            other for other in job.waits_for if other in now.jobs and not now.jobs[other].status.final
        }
        if now.place(job) == "waiting":
            assert open_ones, job
            assert {other for other, dependant in known if dependant == job.id} == open_ones
            assert int(now.data[f"j:{job.id}"]["waits_on"]) == len(open_ones)
    for job_id, _ in known:
        assert not now.jobs[job_id].status.final, job_id


def _check_front(now: Snapshot) -> None:
    """Raised jobs stand at the front of their queue while they are ready, and only then."""
    for queue in now.queues:
        assert set(now.zset(f"front:{queue}")) == {job.id for job in now.ready(queue) if job.front}, queue


def _check_outbox(now: Snapshot) -> None:
    """Of each job with a webhook there is one message once it has ended; until then it is hooked."""
    for job in now.jobs.values():
        message = now.counters(f"outbox:{message_id(job.id)}")
        hooked = job.id in now.members("hooked")
        if job.webhook is None or not job.status.final:
            assert (hooked, bool(message)) == (job.webhook is not None, False), job
        elif job.delete_requested_at is not None:
            assert not message, job
        else:
            assert hooked != bool(message), job  # hooked: older code ended it, and no tick has seen it yet
        if message:
            assert message["status"] == job.status, (job, message)
            assert int(message["version"]) <= job.version
    places = [now.zset("outbox"), now.zset("outbox:flying"), *now.named("outbox:lane:").values()]
    pending = {name for name, message in now.named("outbox:").items() if _is_pending(name, message)}
    assert sorted(name for place in places for name in place) == sorted(pending)


def _is_pending(name: str, message: dict[str, str]) -> bool:
    """Whether this is a message that is neither delivered nor given up."""
    return name.startswith("msg_") and message.get("state", "pending") == "pending"
