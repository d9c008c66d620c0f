"""What scripts are given about jobs and workers, made from the records of Python."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from infra.jobs.answers import WorkerCard
from infra.jobs.codec import dump, new_fields, read_job
from infra.jobs.record import Job, NewJob, Priority

RANKS = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}


def enqueue_arguments(job: NewJob) -> dict[str, Any]:
    """Of the enqueue script, for one of its jobs. ValueError for a cost that is not above 0."""
    if not job.cost > 0:
        raise ValueError("a job's cost is above 0")
    arguments = {
        "id": job.id,
        "fields": new_fields(job),
        "rank": RANKS[Priority(job.priority)],
        "waits_for": list(dict.fromkeys(job.waits_for)),
    }
    deadlines = {
        "start_deadline_seconds": job.start_deadline_seconds,
        "deadline_seconds": job.deadline_seconds,
    }
    return arguments | {name: value for name, value in deadlines.items() if value is not None}


def read_new_job(arguments: Mapping[str, Any], created_at: int) -> Job:
    """The record that the enqueue script has made of its arguments, unless it ended at once."""
    fields = {**arguments["fields"], "created_at": created_at}
    for name in ("start_deadline", "deadline"):
        if f"{name}_seconds" in arguments:
            fields[f"{name}_at"] = created_at + math.floor(arguments[f"{name}_seconds"] * 1000)
    return read_job(fields)


def card_arguments(worker: WorkerCard) -> dict[str, Any]:
    """Of claim and beat; `card` is kept as it is, for who asks for the workers."""
    return {
        "id": worker.id,
        "device": worker.device,
        "queues": worker.queues,
        "models": (*worker.models, *worker.given_up),
        "warm": worker.warm,
        "batches": worker.batches,
        "loads": {each.model: each.load_seconds for each in worker.measured},
        "card": dump(asdict(worker)),
    }


def again(old: Job, new_id: str) -> NewJob:
    """The same request as a new job. Deadlines run anew from now."""
    return NewJob(
        id=new_id,
        owner=old.owner,
        kind=old.kind,
        model=old.model,
        queue=old.queue,
        inputs=old.inputs,
        cost=old.cost,
        priority=old.priority,
        metadata=old.metadata,
        waits_for=old.waits_for,
        retry_of=old.id,
        max_attempts=old.max_attempts,
        expires_in_seconds=old.expires_in_seconds,
        start_deadline_seconds=_seconds(old.created_at, old.start_deadline_at),
        deadline_seconds=_seconds(old.created_at, old.deadline_at),
        webhook=old.webhook,
        seed_chosen=old.seed_chosen,
        batch=old.batch,
        rows=old.rows,
    )


def _seconds(start: int, end: int | None) -> float | None:
    return None if end is None else (end - start) / 1000
