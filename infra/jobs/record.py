"""The job record: what a job is, what it has been through, what came of it.

Times are epoch milliseconds by the state server's clock. Records are read-only here; `JobQueue` changes them.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

SCHEMA = 3
"""Number of the record's layout; 2 added `webhook`, 3 inputs and kinds that older workers refuse. Code of
schema N reads and writes N and N−1."""


class Status(StrEnum):
    """Where a job stands. The last three are final: the result changes no more."""

    QUEUED = "queued"
    """Waits: to be claimed, for `not_before`, or for `waits_for`. A worker's claim moves it on."""
    RUNNING = "running"
    """One attempt holds the lease. Its worker's commit or requeue moves it on, or `tick` if that is lost."""
    SUCCEEDED = "succeeded"
    """Committed: all outputs are stored and named by the manifest. Kept until `expires_at`."""
    FAILED = "failed"
    """Given up; `error` says why. Kept until `expires_at`."""
    CANCELLED = "cancelled"
    """Stopped because its owner asked. Kept until `expires_at`."""

    @property
    def final(self) -> bool:
        """Whether the job will never run again."""
        return self in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


class Outcome(StrEnum):
    """How one attempt ended."""

    SUCCEEDED = "succeeded"
    """Its result was committed."""
    FAILED = "failed"
    """The pipeline raised. Counts in `fails`; tried again if the error is retryable and attempts are left."""
    CANCELLED = "cancelled"
    """Stopped on request."""
    TIMED_OUT = "timed_out"
    """The job's deadline passed; the job fails."""
    RELEASED = "released"
    """Given back unharmed by a worker that stops. Counts nowhere, and its cost is refunded to the owner."""
    CRASHED = "crashed"
    """The engine died. Counts in `crashes`."""
    LOST = "lost"
    """The lease expired: worker or host is gone. Counts in `losses`."""


class Priority(StrEnum):
    """Order among the jobs of one owner; between owners only fair shares decide."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job or an attempt failed, in the words that clients see."""

    type: str
    """Slug from the published list, such as `out_of_memory`."""
    title: str
    """One short sentence that is the same for every error of this type."""
    detail: str = ""
    """What happened this time. Never holds prompts or paths."""
    retryable: bool = False
    """Whether the same job may succeed when run again."""


FAULTS = {
    fault.type: fault
    for fault in (
        JobError("worker_crashed", "The job crashed its worker too often.", "", False),
        JobError("worker_lost", "The job lost its worker too often.", "", True),
        JobError("deadline_exceeded", "The job was not done before its deadline.", "", True),
        JobError("start_deadline_exceeded", "The job did not start before its start deadline.", "", True),
        JobError("dependency_failed", "A job that this one waited for has failed.", "", False),
    )
}
"""The errors that the queue itself gives to jobs, by type."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution of a job by one worker."""

    id: str
    """Random, chosen by the worker: the fence of every later call, and part of the artifacts' keys."""
    number: int
    """1, 2, 3 …: for people only, since it may repeat after a lossy failover."""
    worker: str
    """Id of the worker that claimed."""
    device: str
    """Where it ran, such as `cuda:0`."""
    started_at: int
    ended_at: int | None = None
    outcome: Outcome | None = None
    error: JobError | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """One stored file of a result."""

    name: str
    """Unique within the job, such as `0.png`; the last part of its storage key."""
    index: int
    """Which of the job's outputs it belongs to, from 0."""
    role: str
    """`output`, or what was made from that output: `thumbnail` (of a sound: its waveform), `preview` (an
    animated GIF), `frames` (a ZIP of them), `score` (the notes as MIDI)."""
    seed: int | None
    """Seed of that output."""
    media_type: str
    bytes: int
    sha256: str
    """Digest of the file."""
    sample_sha256: str | None = None
    """Digest of the decoded sample (pixels, audio frames), which does not depend on the encoder."""
    width: int | None = None
    """Pixels, as `height`; of pictures and videos."""
    height: int | None = None
    duration_seconds: float | None = None
    """Of sounds and videos."""
    frames: int | None = None
    """Of videos."""
    fps: float | None = None
    """Frames a second; of videos."""
    sample_rate: int | None = None
    """Samples a second; of sounds, and of videos that have one."""
    channels: int | None = None
    """Of the sound."""
    facts: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """What the model's family tells of it beside, such as `finish_reason`, `tokens`, `tempo`."""


@dataclass(frozen=True, slots=True)
class Job:
    """One user request and all that is known of it."""

    id: str
    schema: int
    """Layout of this record, see SCHEMA."""
    owner: str
    """Who asked, and the only one who may see it."""
    kind: str
    """What it does, such as `text-to-image`."""
    model: str
    """Name of the catalog's model that runs it."""
    queue: str
    """Waiting line that it stands in."""
    status: Status
    version: int
    """Grows with every change of the record; starts at 1."""
    priority: Priority
    cost: float
    """Estimated device-seconds, which fair shares are charged with."""
    inputs: dict[str, Any]
    """Effective inputs: validated, defaults filled in, seed chosen."""
    metadata: dict[str, Any]
    """The client's own, given back as it came."""
    progress: dict[str, Any] | None
    """Of the present attempt: {fraction, step, steps, stage}; as of the last heartbeat."""
    attempts: tuple[Attempt, ...]
    """Every attempt so far, oldest first."""
    attempt_id: str | None
    """The attempt that runs, or, once final, the one whose result or failure ended the job."""
    artifacts: tuple[Artifact, ...]
    """Result files, once succeeded."""
    manifest: str | None
    """Storage key of the result's manifest, once succeeded."""
    manifest_sha256: str | None
    """Digest of the manifest: readers follow only that one."""
    error: JobError | None
    """Why it failed, once failed."""
    retry_of: str | None
    """The job that this one repeats."""
    retried_as: str | None
    """The newest job that repeats this one."""
    waits_for: tuple[str, ...]
    """Jobs that must succeed before this one may start."""
    not_before: int | None
    """Queued, but not to be claimed before this time (a pause after a failure)."""
    cancel_requested_at: int | None
    """When its owner asked to cancel. The worker sees it within the exchange interval."""
    delete_requested_at: int | None
    """When its owner deleted it. Hidden from then on; the collector removes it once it is final."""
    timed_out_at: int | None
    """When the deadline passed while it ran. The worker sees it within the exchange interval."""
    fails: int
    crashes: int
    """A job that has crashed once is claimed alone, never in a batch with others."""
    losses: int
    max_attempts: int
    """Failures after which it is given up."""
    created_at: int
    started_at: int | None
    """Start of the first attempt."""
    finished_at: int | None
    expires_in_seconds: int
    """Life of the record and its artifacts after the end."""
    expires_at: int | None
    start_deadline_at: int | None
    """Fails with `start_deadline_exceeded` when no attempt has started by then."""
    deadline_at: int | None
    """Fails with `deadline_exceeded` when it is not done by then."""
    front: bool
    """An operator has raised it: whenever it is ready it stands before all others of its queue."""
    weight: float
    """Weight of the owner when it was last claimed: with 2.0 it was charged half of the cost."""
    webhook: str | None = None
    """Who is told when it is over: the id of a webhook endpoint (`we_…`) or a URL."""
    seed_chosen: bool = False
    """Whether its seed was chosen for it. One that was given must repeat bit for bit, so it is not computed
    in a batch whose other members come and go."""
    batch: str = ""
    """Digest of what jobs must have in common to share a run; empty: it shares none."""
    rows: int = 1
    """How many of a run's rows it takes: its `n`."""

    @property
    def alone(self) -> bool:
        """Whether it must not share a batch, because it has crashed an engine before."""
        return self.crashes > 0


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to enqueue. Fields mean what they mean on Job."""

    id: str
    owner: str
    kind: str
    model: str
    queue: str
    inputs: Mapping[str, Any]
    cost: float
    """Estimated device-seconds, above 0."""
    priority: Priority | Literal["low", "normal", "high"] = Priority.NORMAL
    metadata: Mapping[str, Any] = field(default_factory=dict)
    waits_for: Sequence[str] = ()
    """Jobs of the same owner: known ones, or ones that stand before this one in the same enqueue."""
    retry_of: str | None = None
    max_attempts: int = 3
    expires_in_seconds: int = 7 * 86400
    start_deadline_seconds: float | None = None
    """From now until it must have started."""
    deadline_seconds: float | None = None
    """From now until it must be done."""
    webhook: str | None = None
    seed_chosen: bool = False
    batch: str = ""
    rows: int = 1


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's promise that two requests with this key are the same one."""

    key: str
    fingerprint: str
    """Digest of the request body; another one under the same key is refused."""


def new_job_id() -> str:
    return f"job_{secrets.token_hex(12)}"


def new_attempt_id() -> str:
    """128 random bits: unlike a counter, it cannot come back after the state server lost its last second."""
    return secrets.token_hex(16)
