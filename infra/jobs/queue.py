"""JobQueue: every change of a job's state, each one atomic script in the state server."""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, cast

import redis

from infra.archive import Archive
from infra.connections import Durability, translate
from infra.errors import (
    IdempotencyMismatch,
    JobGone,
    JobNotFound,
    OwnerLimit,
    SystemFull,
    TooFast,
    TooManyAtOnce,
    WorkerPaused,
)
from infra.jobs import survey
from infra.jobs.answers import (
    Beat,
    Committed,
    Enqueued,
    Expired,
    Filters,
    Limits,
    OwnerUsage,
    Page,
    QueueStats,
    Requeued,
    Standing,
    Tick,
    WorkerCard,
    WorkerInfo,
)
from infra.jobs.archived import Archived
from infra.jobs.arguments import again, card_arguments, enqueue_arguments, read_new_job
from infra.jobs.codec import dump, dump_artifacts, dump_error, pairs, read_job
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
from infra.jobs.scripts import PREFIX
from infra.jobs.writer import Ring, Writer, no_ring

Lease = tuple[str, str]
"""(job id, attempt id)."""


class JobQueue(Writer):
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
        archive: Archive | None = None,
    ) -> None:
        """With an `archive`, an owner's jobs are also found when their records have moved there, and calls
        about them may raise StorageUnavailable."""
        super().__init__(state, limits=limits, ring=ring, durability=durability)
        self._archived = Archived(state, self._scripts, archive)

    # For the API

    def enqueue(self, jobs: Sequence[NewJob], idempotency: Idempotency | None = None) -> Enqueued:
        """Accept all these jobs of one owner, or none; on disk when this returns.

        OwnerLimit (TooFast among them), TooManyAtOnce, SystemFull: nothing was accepted. JobNotFound:
        `waits_for` names no job of this owner. IdempotencyMismatch: the key was used for another request.
        JobGone: its job was deleted.
        """
        if len({job.owner for job in jobs}) != 1:
            raise ValueError("enqueue takes the jobs of one owner, at least one")
        given = [enqueue_arguments(job) for job in jobs]
        word, value, _ = self._rung(
            self._scripts.run_together(
                "enqueue",
                owner=jobs[0].owner,
                jobs=given,
                key=idempotency and idempotency.key,
                fingerprint=idempotency and idempotency.fingerprint,
            )
        )
        _raise_refusal(word, value)
        if word == "new":
            created_at, *held = value
            new = tuple(read_new_job(arguments, created_at) for arguments in given)
            return Enqueued(new, replayed=False, paused=tuple(bool(each) for each in held))
        records = [pairs(flat) for flat in value]
        if word == "replayed" and idempotency and not all(records):  # some are archived or gone
            return Enqueued(self.replayed(jobs[0].owner, idempotency) or (), replayed=True)
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
        """The record, also an archived one if `owner` is given; JobNotFound when there is none, or when it is
        hidden from the owner: somebody else's, or deleted."""
        record = cast(dict[str, str], self._state.hgetall(f"{PREFIX}j:{job_id}"))
        if not record and owner is not None:
            return self._archived.find(job_id, owner)
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
        next_cursor, rows, _ = self._scripts.run(
            "list",
            owner=owner,
            filters=Filters(status, kind, model).as_arguments(),
            cursor=cursor,
            limit=limit,
        )
        return Page(self._archived.fill(owner, rows), next_cursor or None)

    def standing(self, job: Job) -> Standing | None:
        """Where it stands in its queue; None when it is not queued any more."""
        word, value, _ = self._scripts.run("position", job_id=job.id)
        if word != "ok":
            return None
        place, paused, start_ms = value
        return Standing(place or None, bool(paused), None if start_ms < 0 else start_ms / 1000)

    def cancel(self, job_id: str, owner: str) -> Job:
        """Cancel now when it is queued, ask its worker when it runs, leave it alone when it is final."""
        call = {"job_id": job_id, "owner": owner, "filters": {}, "cancel_id": _call_id()}
        word, record, _ = self._rung(self._scripts.run("cancel", **call))
        if word == "missing":
            return self.get(job_id, owner)  # an archived one, which is final
        return read_job(pairs(record))

    def cancel_some(self, owner: str, job_ids: Sequence[str], filters: Filters) -> int:
        """Cancel those of these jobs of the owner that are not final and match. Returns how many."""
        same = {"owner": owner, "filters": filters.as_arguments(), "cancel_id": _call_id()}
        calls = [{"job_id": job_id} | same for job_id in job_ids]
        answers = [self._rung(answer) for answer in self._scripts.run_many("cancel", calls)]
        return sum(word in ("cancelled", "asked") for word, _, _ in answers)

    def retry(self, job_id: str, owner: str, new_id: str | None = None) -> Job:
        """Enqueue the same request again, as a new job (id `new_id`) with `retry_of`."""
        old = self.get(job_id, owner)
        return self.enqueue([again(old, new_id or new_job_id())]).jobs[0]

    def delete(self, job_id: str, owner: str) -> Job | None:
        """Hide the job from its owner for good.

        Returns it when it is final: its artifacts may then be removed, and after them the record, with
        `forget` (else the collector does both). None when it still runs: it is told to stop, and the
        collector does the rest.
        """
        word, record, _ = self._rung(self._scripts.run("delete", job_id=job_id, owner=owner))
        if word == "missing":
            return self._archived.delete(job_id, owner)
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
        """The best job for this worker, alone, now running under `attempt_id`; else see `claim_batch`."""
        return next(iter(self._claim(worker, attempt_id, rows=1)), None)

    def claim_batch(
        self, worker: WorkerCard, attempt_id: str, *, held: Sequence[str] = (), ahead: bool = False
    ) -> tuple[Job, ...]:
        """The best job for this worker and jobs that can share its run, up to the largest full bucket; each
        now runs under its own `attempt_id`, the first under the one given. None parks the worker as idle.

        Use a new attempt id for every claim that is not a repetition of one whose answer got lost. `held`:
        jobs that the worker has already. `ahead`: it is still busy with them, so that it is given nothing
        that an idle worker could run, and is not parked. WorkerPaused: it is not parked, so nobody rings for
        it; it finds out by claiming when that is over.
        """
        return self._claim(worker, attempt_id, held=held, ahead=ahead or None)

    def claim_like(
        self, worker: WorkerCard, attempt_id: str, job: Job, rows: int, *, held: Sequence[str]
    ) -> tuple[Job, ...]:
        """Jobs, of at most so many rows, that may join the run of this one: none while it is the turn of a
        job that cannot. The worker is not parked."""
        return self._claim(worker, attempt_id, like=(job.model, job.batch), rows=rows, held=held)

    def _claim(
        self, worker: WorkerCard, attempt_id: str, *, held: Sequence[str] = (), **how: Any
    ) -> tuple[Job, ...]:
        card = card_arguments(worker)
        word, records, _ = self._rung(
            self._scripts.run("claim", worker=card, attempt_id=attempt_id, held=list(held), **how)
        )
        if word == "paused":
            raise WorkerPaused
        return tuple(read_job(pairs(json.loads(text))) for text in records) if word == "ok" else ()

    def beat(
        self,
        leases: Sequence[Lease],
        worker: WorkerCard,
        progress: Mapping[str, Mapping[str, Any]] | None = None,
        trouble: str | None = None,
    ) -> dict[str, Beat]:
        """Renew these leases and the worker's registration; `progress` and the answers are by attempt id.

        `trouble`: why the worker takes no jobs for now, shown to whoever looks at the workers.
        """
        told = progress or {}
        arguments = [
            {"job_id": job_id, "attempt_id": attempt_id}
            | ({"progress": dump(told[attempt_id])} if attempt_id in told else {})
            for job_id, attempt_id in leases
        ]
        _, words, _ = self._scripts.run(
            "beat", worker=card_arguments(worker), leases=arguments, trouble=trouble
        )
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
            emit_id=_call_id(),
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
            self._scripts.run_together(
                "commit",
                job_id=job_id,
                attempt_id=attempt_id,
                manifest=manifest_key,
                manifest_sha256=manifest_sha256,
                artifacts=dump_artifacts(artifacts),
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
    def expired(self, limit: int = 100) -> tuple[Expired, ...]:
        """Final jobs whose life is over, or that were deleted. Remove artifacts, then `forget`."""
        return tuple(survey.expired(self._state, limit))

    def archive(self, older_than_seconds: float, limit: int = 100) -> int:
        """Move records of jobs that ended so long ago to the archive, the oldest first. Returns how many."""
        return self._archived.move(older_than_seconds, limit)

    def archived(self, owner: str, job_id: str) -> Job | None:
        """What the archive has of a job, even if its life is over or it is about to be removed."""
        return self._archived.kept(owner, job_id)

    def adopt(self, owner: str, job_id: str) -> bool:
        """List and let expire an archived job that the state server does not know; whether it did not."""
        return self._archived.adopt(owner, job_id)

    def forget(self, job_id: str) -> bool:
        """Remove what is known of a final job that expired or was deleted. False when there is none such."""
        word, _, _ = self._scripts.run("forget", job_id=job_id)
        return word == "ok"


def _call_id() -> str:
    """By which a script knows a call that it has heard before, when the client repeats it."""
    return secrets.token_hex(8)


def _deleted(record: Mapping[str, str]) -> bool:
    return bool(record.get("delete_requested_at"))


def _raise_refusal(word: str, value: Any) -> None:
    if word == "missing":
        raise JobNotFound(f"There is no job {value} to wait for.")
    if word == "mismatch":
        raise IdempotencyMismatch
    if word == "owner_limit":
        raise OwnerLimit(f"You have {value[0]:,} jobs queued, of {value[1]:,} that you may have.")
    if word == "too_fast":
        raise TooFast(value)
    if word == "too_many":
        raise TooManyAtOnce(f"You may submit {value:,} jobs at once, so a list may not have more.")
    if word == "system_full":
        raise SystemFull
