"""What goes into JobQueue's calls and comes out of them, besides the record itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from infra.jobs.record import Job, Status


class LimitSettings(Protocol):
    """The settings that limits are made from (infra.settings.Settings has them all)."""

    @property
    def lease_seconds(self) -> float: ...
    @property
    def max_queued_per_owner(self) -> int: ...
    @property
    def max_running_per_owner(self) -> int: ...
    @property
    def submit_rate_per_owner(self) -> float: ...
    @property
    def submit_burst_per_owner(self) -> int: ...
    @property
    def max_queued(self) -> int: ...
    @property
    def max_crashes(self) -> int: ...
    @property
    def max_losses(self) -> int: ...
    @property
    def idempotency_hours(self) -> float: ...
    @property
    def events_keep_seconds(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers that the transitions obey. Every process of a deployment must be given the same ones."""

    lease_seconds: float = 15.0
    """Life of a lease, and of a worker's registration, after a heartbeat."""
    max_queued_per_owner: int = 1000
    max_running_per_owner: int = 0
    """0: no limit."""
    submit_rate_per_owner: float = 0.0
    """Jobs a second; 0: no limit."""
    submit_burst_per_owner: int = 50
    """Jobs at once."""
    max_queued: int = 100_000
    """In the whole system."""
    max_crashes: int = 3
    max_losses: int = 10
    idempotency_hours: float = 24.0
    events_keep_seconds: int = 3600

    @classmethod
    def from_settings(cls, settings: LimitSettings) -> "Limits":
        return cls(
            lease_seconds=settings.lease_seconds,
            max_queued_per_owner=settings.max_queued_per_owner,
            max_running_per_owner=settings.max_running_per_owner,
            submit_rate_per_owner=settings.submit_rate_per_owner,
            submit_burst_per_owner=settings.submit_burst_per_owner,
            max_queued=settings.max_queued,
            max_crashes=settings.max_crashes,
            max_losses=settings.max_losses,
            idempotency_hours=settings.idempotency_hours,
            events_keep_seconds=settings.events_keep_seconds,
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """What loading a model has cost a worker."""

    model: str
    bytes: int
    """Of the device's memory that its weights take, with what it shares with other models."""
    load_seconds: float
    """The last time: what a cold start costs."""


@dataclass(frozen=True, slots=True)
class WorkerCard:
    """What a worker tells of itself when it claims or beats."""

    id: str
    host: str
    pid: int
    device: str
    queues: tuple[str, ...]
    """Queues that it takes jobs from."""
    models: tuple[str, ...]
    """Names of all models that it could run; it is never given a job of another."""
    warm: tuple[str, ...] = ()
    """Those of them that are loaded now."""
    batches: Mapping[str, int] = field(default_factory=dict)
    """How many rows of a model share a run at most, by the model's name; 1 where nothing is said."""
    memory_budget: int = 0
    """Bytes that loaded weights and a run may take; 0: not known yet."""
    memory_held: int = 0
    """Bytes of all loaded weights; what models share counts once."""
    measured: tuple[Measured, ...] = ()
    """Of every model that it has loaded so far, whether it still is or not."""
    given_up: tuple[str, ...] = ()
    """Names of models that no live worker can run: it takes their jobs too, to fail them."""


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A live worker, as seen from outside."""

    card: WorkerCard
    parked: bool
    """Idle, and waiting for a doorbell."""
    jobs: tuple[str, ...]
    """Jobs that it runs."""
    since: int
    """When it was first heard of, epoch ms."""
    seen_at: int
    """When it was last heard of, epoch ms."""
    paused: bool = False
    """An operator has paused it: it finishes its job and is given no other."""
    trouble: str = ""
    """Why it takes no jobs although it lives, in its own words; empty when nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which of an owner's jobs are meant; None means any."""

    status: Status | None = None
    kind: str | None = None
    model: str | None = None
    queue: str | None = None

    def as_arguments(self) -> dict[str, str]:
        """Names and values of those that are given."""
        given = {"status": self.status, "kind": self.kind, "model": self.model, "queue": self.queue}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Enqueued:
    jobs: tuple[Job, ...]
    """In the order given."""
    replayed: bool
    """The idempotency key was known: these are the jobs of the first request, as they stand now."""
    paused: tuple[bool, ...] | None = field(default=None, repr=False, compare=False)
    """Of jobs that are new: whether a pause holds each of them back. Not told if the call was repeated."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a queued job stands."""

    position: int | None
    """Estimated place in its queue, 1 for the next one; None when it is not ready to be claimed."""
    paused: bool
    """Its queue or its model is paused."""
    estimated_start_seconds: float | None = None
    """In what time it may start, from how fast such jobs went of late; None when that is not known: nothing
    was measured, no live worker can run it, it is held back by a pause or its owner's limit, or not ready."""


@dataclass(frozen=True, slots=True)
class Page:
    jobs: tuple[Job, ...]
    """Newest first. May be shorter than asked for when filters left many out."""
    next_cursor: str | None
    """Give it to the next call; None at the end."""


class Beat(StrEnum):
    """What a worker is told about an attempt that it holds."""

    OK = "ok"
    CANCEL = "cancel"
    """Stop it, then requeue with outcome cancelled."""
    TIMED_OUT = "timed_out"
    """Its deadline passed: stop it, then requeue with outcome timed_out."""
    LOST = "lost"
    """The attempt is not this worker's any more: stop it and forget it."""


class Committed(StrEnum):
    OK = "ok"
    """The result counts (also when it had been committed before)."""
    CANCELLED = "cancelled"
    """A cancel request came first: the job is cancelled and the files count for nothing."""
    FENCED = "fenced"
    """The attempt had already ended, or lost its lease to another: the files count for nothing."""


class Requeued(StrEnum):
    QUEUED = "queued"
    """It will run again."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    FENCED = "fenced"
    """The attempt had already ended; nothing changed."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What one look at the clocks did."""

    grace: bool
    """The last tick was too long ago, or the clock went back: all leases were renewed, none was taken."""
    lost: tuple[str, ...] = ()
    """Jobs whose lease had expired."""
    due: int = 0
    """Delayed jobs that are ready now."""
    overdue: tuple[str, ...] = ()
    """Jobs whose deadline passed: failed, or, if running, told to stop."""
    workers_gone: tuple[str, ...] = ()
    """Workers that were not heard of for a lease's life."""


@dataclass(frozen=True, slots=True)
class Expired:
    """A job whose life is over, or that was deleted: its objects go first, then it is forgotten."""

    owner: str
    id: str
    archived: bool
    """Its record is a `job.json` in the storage."""


@dataclass(frozen=True, slots=True)
class QueueStats:
    name: str
    ready: int
    """Could be claimed now, if nothing is paused."""
    delayed: int
    """Pause after a failure."""
    waiting: int
    """For other jobs."""
    running: int
    oldest_wait_seconds: float
    """How long the oldest ready job has been ready; 0 when none is."""
    succeeded: int
    failed: int
    cancelled: int
    """Jobs that ended so, ever."""
    device_seconds: float
    """Estimated cost of all that was claimed, ever."""
    jobs_per_second: float
    """Attempts that ended a second, over the last minutes."""
    seconds_per_job: float | None
    """How long a worker was busy for each of them; None when none ended within the last hour."""
    workers: int
    """Live workers that serve this queue."""
    parked: int
    """Idle ones of them."""
    paused: bool
    """Nothing is claimed from it until an operator resumes it."""


@dataclass(frozen=True, slots=True)
class OwnerUsage:
    queued: int
    running: int
