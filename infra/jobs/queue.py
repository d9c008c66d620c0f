"""JobQueue: every change of a job's state, each one atomic script in the state server."""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

import redis

from infra.connections import Durability, translate
from infra.errors import IdempotencyMismatch, JobGone, JobNotFound, OwnerLimit, SystemFull
from infra.jobs import survey
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
from infra.jobs.arguments import again, card_arguments, enqueue_arguments
from infra.jobs.codec import dump, dump_error, pairs, read_job
from infra.jobs.record import (
    Artifact,
    Idempotency,
    Job,
    JobError,
    NewJob,
    Outcome,
    Status,
    new_job_id,
)
from infra.jobs.scripts import PREFIX, Answer, Scripts

Ring = Callable[[str, str], None]
"""Called with (queue, job id) when an idle worker should be woken."""

Lease = tuple[str, str]
"""(job id, attempt id)."""

CHUNK = 100
"""Jobs that one round trip of a bulk call handles."""

CAN_BE_RETRIED = (Status.FAILED, Status.CANCELLED)


def no_ring(queue: str, job_id: str) -> None:
    """For callers without a broker: workers find the job by themselves within `idle_claim_seconds`."""


class JobQueue:
    """The queue, seen by API (enqueue, read, cancel), workers (claim, beat, commit) and rescuer (tick).

    Every call raises StateUnavailable when the state server does not answer; it may then have happened or
    not, and calling again with the same ids is safe. Safe to share between threads.
    """

    def __init__(
        self,
        state: redis.Redis,
        *,
        limits: Limits,
        ring: Ring = no_ring,
        durability: Durability = "always",
    ) -> None:
        self._state = state
        self._scripts = Scripts(state, limits, durability)
        self._ring = ring

    # For the API

    def enqueue(self, jobs: Sequence[NewJob], idempotency: Idempotency | None = None) -> Enqueued:
        """Accept all these jobs of one owner, or none; on disk when this returns.

        OwnerLimit, SystemFull: nothing was accepted. JobNotFound: `waits_for` names no job of this owner.
        IdempotencyMismatch: the key was used for another request. JobGone: its job was deleted.
        """
        if len({job.owner for job in jobs}) != 1:
            raise ValueError("enqueue takes the jobs of one owner, at least one")
        word, value, _ = self._rung(
            self._scripts.run_durably(
                "enqueue",
                owner=jobs[0].owner,
                jobs=[enqueue_arguments(job) for job in jobs],
                key=idempotency and idempotency.key,
                fingerprint=idempotency and idempotency.fingerprint,
            )
        )
        _raise_refusal(word, value)
        records = [pairs(flat) for flat in value]
        if any(not record or record.get("delete_requested_at") for record in records):
            raise JobGone
        return Enqueued(tuple(read_job(record) for record in records), replayed=word == "replayed")

    @translate()
    def replayed(self, owner: str, idempotency: Idempotency) -> tuple[Job, ...] | None:
        """What `enqueue` would answer if the key is known: the first request's jobs. None if it is not.

        A request is checked before it is enqueued; asking here first answers a repeated one even if the
        checks would refuse it by now. IdempotencyMismatch and JobGone as for `enqueue`.
        """
        known = self._state.hgetall(f"{PREFIX}idem:{owner}:{idempotency.key}")
        before = cast(dict[str, str], known)
        if not before:
            return None
        if before["fingerprint"] != idempotency.fingerprint:
            raise IdempotencyMismatch
        try:
            return tuple(self.get(job_id, owner) for job_id in json.loads(before["ids"]))
        except JobNotFound:
            raise JobGone from None

    @translate()
    def get(self, job_id: str, owner: str | None = None) -> Job:
        """The record. JobNotFound when there is none, or when `owner` is given and it is hidden from them:
        somebody else's, or deleted."""
        record = cast(dict[str, str], self._state.hgetall(f"{PREFIX}j:{job_id}"))
        if not record or (owner is not None and (record["owner"] != owner or _deleted(record))):
            raise JobNotFound
        return read_job(record)

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
        """The owner's jobs, newest first. `cursor` is a former page's `next_cursor`, or a ValueError."""
        if cursor is not None and not (cursor.isascii() and cursor.isdecimal()):
            raise ValueError("the cursor is not one that a page gave")
        filters = Filters(status, kind, model).as_arguments()
        next_cursor, records, _ = self._scripts.run(
            "list", owner=owner, filters=filters, cursor=cursor, limit=limit
        )
        return Page(tuple(read_job(pairs(flat)) for flat in records), next_cursor or None)

    def position(self, job: Job) -> int | None:
        """Its estimated place in its queue, 1 for the next one; None when it is not ready to be claimed."""
        word, place, _ = self._scripts.run("position", job_id=job.id)
        return int(place) if word == "ok" else None

    def cancel(self, job_id: str, owner: str) -> Job:
        """Cancel now when it is queued, ask its worker when it runs, leave it alone when it is final."""
        word, record, _ = self._rung(self._scripts.run("cancel", job_id=job_id, owner=owner, filters={}))
        if word == "missing":
            raise JobNotFound
        return read_job(pairs(record))

    def cancel_many(self, owner: str, filters: Filters) -> int:
        """Cancel every job of the owner that is not final and matches. Returns how many."""
        with translate():
            ids = cast(list[str], self._state.zrange(f"{PREFIX}live:{owner}", 0, -1))
        cancelled = 0
        for start in range(0, len(ids), CHUNK):
            calls = [
                {"job_id": job_id, "owner": owner, "filters": filters.as_arguments()}
                for job_id in ids[start : start + CHUNK]
            ]
            answers = [self._rung(answer) for answer in self._scripts.run_many("cancel", calls)]
            cancelled += sum(word in ("cancelled", "asked") for word, _, _ in answers)
        return cancelled

    def retry(self, job_id: str, owner: str, new_id: str | None = None) -> Job:
        """Enqueue the same request again, as a new job (id `new_id`) with `retry_of`."""
        old = self.get(job_id, owner)
        return self.enqueue([again(old, new_id or new_job_id())]).jobs[0]

    def retry_many(self, owner: str, filters: Filters) -> int:
        """Retry every failed or cancelled job that matches and was not retried yet. Returns how many.

        These are fewer when the owner's limit is reached on the way; OwnerLimit when it leaves room for none.
        """
        retried = 0
        for job in self._retryable(owner, filters):
            try:
                self.retry(job.id, owner)
            except OwnerLimit:
                if not retried:
                    raise
                break
            retried += 1
        return retried

    def _retryable(self, owner: str, filters: Filters) -> Sequence[Job]:
        found: list[Job] = []
        cursor: str | None = None
        while True:
            page = self.list(owner, **asdict(filters), cursor=cursor, limit=CHUNK)
            found += [job for job in page.jobs if job.status in CAN_BE_RETRIED and not job.retried_as]
            cursor = page.next_cursor
            if cursor is None:
                return found

    def delete(self, job_id: str, owner: str) -> Job | None:
        """Hide the job from its owner for good.

        Returns it when it is final: its artifacts may then be removed, and after them the record, with
        `forget` (else the collector does both). None when it still runs: it is told to stop, and the
        collector does the rest.
        """
        word, record, _ = self._rung(self._scripts.run("delete", job_id=job_id, owner=owner))
        if word == "missing":
            raise JobNotFound
        return read_job(pairs(record)) if word == "final" else None

    @translate()
    def owner_usage(self, owner: str) -> OwnerUsage:
        """How many jobs of the owner wait and run."""
        return survey.owner_usage(self._state, owner)

    @translate()
    def queue_stats(self) -> tuple[QueueStats, ...]:
        """Every queue that has ever had a job or a worker, by name."""
        return survey.queue_stats(self._state)

    @translate()
    def workers(self) -> tuple[WorkerInfo, ...]:
        """Live workers, by id."""
        return survey.workers(self._state)

    # For workers

    def claim(self, worker: WorkerCard, attempt_id: str) -> Job | None:
        """The best job for this worker, now running under `attempt_id`; None parks the worker as idle.

        Use a new attempt id for every claim that is not a repetition of one whose answer got lost.
        """
        word, record, _ = self._rung(
            self._scripts.run("claim", worker=card_arguments(worker), attempt_id=attempt_id)
        )
        return read_job(pairs(record)) if word == "ok" else None

    def beat(
        self,
        leases: Sequence[Lease],
        worker: WorkerCard,
        progress: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> dict[str, Beat]:
        """Renew these leases and the worker's registration; `progress` and the answers are by attempt id."""
        told = progress or {}
        arguments = [
            {"job_id": job_id, "attempt_id": attempt_id}
            | ({"progress": dump(told[attempt_id])} if attempt_id in told else {})
            for job_id, attempt_id in leases
        ]
        _, words, _ = self._scripts.run("beat", worker=card_arguments(worker), leases=arguments)
        return {attempt_id: Beat(word) for (_, attempt_id), word in zip(leases, words, strict=True)}

    @translate()
    def cancel_flags(self, leases: Sequence[Lease]) -> dict[str, Beat]:
        """What `beat` would answer, without renewing anything: one cheap read."""
        return survey.flags(self._state, leases)

    def emit(self, job_id: str, attempt_id: str, event: str, data: Mapping[str, Any]) -> bool:
        """Append an event (`job.output`) to the job's stream; False when the attempt has ended."""
        word, _, _ = self._scripts.run(
            "emit",
            job_id=job_id,
            attempt_id=attempt_id,
            emit_id=secrets.token_hex(8),
            event=event,
            data=dump(data),
        )
        return word == "ok"

    def commit(
        self,
        job_id: str,
        attempt_id: str,
        manifest_key: str,
        manifest_sha256: str,
        artifacts: Sequence[Artifact],
    ) -> Committed:
        """Make this attempt's files the job's result; on disk when this returns. Safe to repeat for ever."""
        word, _, _ = self._rung(
            self._scripts.run_durably(
                "commit",
                job_id=job_id,
                attempt_id=attempt_id,
                manifest=manifest_key,
                manifest_sha256=manifest_sha256,
                artifacts=dump([asdict(artifact) for artifact in artifacts]),
            )
        )
        return Committed(word)

    def requeue(
        self,
        job_id: str,
        attempt_id: str,
        outcome: Outcome,
        error: JobError | None = None,
        delay_seconds: float | None = None,
    ) -> Requeued:
        """End the attempt without a result; the rules of `Outcome` decide whether the job runs again.

        `delay_seconds` replaces the pause before a failed job is tried again (1, 2, 4 … 60 s, a quarter
        more or less).
        """
        if outcome is Outcome.SUCCEEDED or (outcome is Outcome.FAILED and error is None):
            raise ValueError("a result is committed, not requeued; a failed attempt needs its error")
        word, _, _ = self._rung(
            self._scripts.run(
                "requeue",
                job_id=job_id,
                attempt_id=attempt_id,
                outcome=outcome,
                error=dump_error(error),
                retryable=error and error.retryable,
                delay_ms=None if delay_seconds is None else round(delay_seconds * 1000),
            )
        )
        return Requeued(word)

    def leave(self, worker_id: str) -> None:
        """A worker that stops takes its registration back. Its leases stay as they are."""
        self._scripts.run("leave", worker_id=worker_id)

    # For the rescuer and the collector

    def tick(self) -> Tick:
        """Take lost leases back, ready what is due, enforce deadlines. Many processes may do so."""
        word, value, _ = self._rung(self._scripts.run("tick"))
        if word == "grace":
            return Tick(grace=True)
        lost, due, overdue, gone = value
        return Tick(False, tuple(lost), int(due), tuple(overdue), tuple(gone))

    @translate()
    def expired(self, limit: int = 100) -> tuple[Job, ...]:
        """Final jobs whose life is over, or that were deleted. Remove artifacts, then `forget`."""
        return tuple(read_job(record) for record in survey.expired(self._state, limit))

    def forget(self, job_id: str) -> bool:
        """Remove the record of a job that is final, and expired or deleted. False when there is none such."""
        word, _, _ = self._scripts.run("forget", job_id=job_id)
        return word == "ok"

    def _rung(self, answer: Answer) -> Answer:
        """Ring for whom the script names, now that the change is stored."""
        for queue, job_id in answer[2]:
            self._ring(queue, job_id)
        return answer


def _deleted(record: Mapping[str, str]) -> bool:
    return bool(record.get("delete_requested_at"))


def _raise_refusal(word: str, value: Any) -> None:
    if word == "missing":
        raise JobNotFound(f"There is no job {value} to wait for.")
    if word == "mismatch":
        raise IdempotencyMismatch
    if word == "owner_limit":
        raise OwnerLimit
    if word == "system_full":
        raise SystemFull
