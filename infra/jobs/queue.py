"""JobQueue: every change of a job's state, each one atomic script in the state server."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis

from infra.connections import Durability
from infra.jobs.answers import (
    Beat,
    Committed,
    Enqueued,
    Filters,
    Limits,
    OwnerUsage,
    Page,
    QueueStats,
    Requeued,
    Tick,
    WorkerCard,
    WorkerInfo,
)
from infra.jobs.record import Artifact, Idempotency, Job, JobError, NewJob, Outcome, Status

Ring = Callable[[str, str], None]
"""Called with (queue, job id) when an idle worker should be woken."""

Lease = tuple[str, str]
"""(job id, attempt id)."""


def no_ring(queue: str, job_id: str) -> None:
    """For callers without a broker: workers find the job by themselves within `idle_claim_seconds`."""


class JobQueue:
    """The queue, seen by API (enqueue, read, cancel), workers (claim, beat, commit) and rescuer (tick).

    Every call raises StateUnavailable when the state server does not answer; it may then have happened or not,
    and calling again with the same ids is safe. Safe to share between threads.
    """

    def __init__(
        self, state: redis.Redis, *, limits: Limits, ring: Ring = no_ring, durability: Durability = "always"
    ) -> None:
        raise NotImplementedError

    # For the API

    def enqueue(self, jobs: Sequence[NewJob], idempotency: Idempotency | None = None) -> Enqueued:
        """Accept all these jobs of one owner, or none; on disk when this returns.

        OwnerLimit, SystemFull: nothing was accepted. JobNotFound: `waits_for` names no job of this owner.
        IdempotencyMismatch: the key was used for another request. JobGone: its job was deleted.
        """
        raise NotImplementedError

    def get(self, job_id: str, owner: str | None = None) -> Job:
        """The record. JobNotFound when there is none, or `owner` is given and did not make it or deleted it."""
        raise NotImplementedError

    def list(
        self,
        owner: str,
        *,
        status: Status | None = None,
        kind: str | None = None,
        model: str | None = None,
        cursor: str | None = None,
        limit: int = 20,
    ) -> Page:
        """The owner's jobs, newest first."""
        raise NotImplementedError

    def position(self, job: Job) -> int | None:
        """Its place in its queue, 1 for the next one; None when it is not ready to be claimed."""
        raise NotImplementedError

    def cancel(self, job_id: str, owner: str) -> Job:
        """Cancel now when it is queued, ask its worker when it runs, leave it alone when it is final."""
        raise NotImplementedError

    def cancel_many(self, owner: str, filters: Filters) -> int:
        """Cancel every job of the owner that is not final and matches. Returns how many."""
        raise NotImplementedError

    def retry(self, job_id: str, owner: str, new_id: str | None = None) -> Job:
        """Enqueue the same request again, as a new job (id `new_id`) with `retry_of`."""
        raise NotImplementedError

    def retry_many(self, owner: str, filters: Filters) -> int:
        """Retry every failed or cancelled job that matches and was not retried yet. Returns how many."""
        raise NotImplementedError

    def delete(self, job_id: str, owner: str) -> Job | None:
        """Hide the job from its owner for good.

        Returns it when it is final: its artifacts may then be removed, and after them the record with `forget`
        (else the collector does both). None when it still runs: it is told to stop, the collector does the rest.
        """
        raise NotImplementedError

    def owner_usage(self, owner: str) -> OwnerUsage:
        raise NotImplementedError

    def queue_stats(self) -> "list[QueueStats]":
        """Every queue that has ever had a job or a worker, by name."""
        raise NotImplementedError

    def workers(self) -> "list[WorkerInfo]":
        """Live workers, by id."""
        raise NotImplementedError

    # For workers

    def claim(self, worker: WorkerCard, attempt_id: str) -> Job | None:
        """The best job for this worker, now running under `attempt_id`; None parks the worker as idle."""
        raise NotImplementedError

    def beat(
        self, leases: Sequence[Lease], worker: WorkerCard, progress: Mapping[str, dict[str, Any]] | None = None
    ) -> dict[str, Beat]:
        """Renew these leases and the worker's registration; progress by attempt id. Answers by attempt id."""
        raise NotImplementedError

    def cancel_flags(self, leases: Sequence[Lease]) -> dict[str, Beat]:
        """What `beat` would answer, without renewing anything: one cheap read."""
        raise NotImplementedError

    def emit(self, job_id: str, attempt_id: str, event: str, data: Mapping[str, Any]) -> bool:
        """Append an event (`job.output`) to the job's stream; False when the attempt has ended."""
        raise NotImplementedError

    def commit(
        self,
        job_id: str,
        attempt_id: str,
        manifest_key: str,
        manifest_sha256: str,
        artifacts: Sequence[Artifact],
    ) -> Committed:
        """Make this attempt's files the job's result; on disk when this returns. Safe to repeat for ever."""
        raise NotImplementedError

    def requeue(
        self,
        job_id: str,
        attempt_id: str,
        outcome: Outcome,
        error: JobError | None = None,
        delay_seconds: float | None = None,
    ) -> Requeued:
        """End the attempt without a result; the rules of `Outcome` decide whether the job runs again.

        `delay_seconds` replaces the pause before a failed job is tried again (1, 2, 4 … 60 s).
        """
        raise NotImplementedError

    def leave(self, worker_id: str) -> None:
        """A worker that stops takes its registration back. Its leases stay as they are."""
        raise NotImplementedError

    # For the rescuer and the collector

    def tick(self) -> Tick:
        """Take lost leases back, ready what is due, enforce deadlines. Any number of processes may call it."""
        raise NotImplementedError

    def expired(self, limit: int = 100) -> "list[Job]":
        """Final jobs whose life is over, deleted ones first of all. Remove artifacts, then `forget`."""
        raise NotImplementedError

    def forget(self, job_id: str) -> bool:
        """Remove the record of a job that is expired or deleted, and final. False when there is none such."""
        raise NotImplementedError
