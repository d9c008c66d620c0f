"""Between the record as the state server holds it (a hash of texts, '' for none) and the Job of Python."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, asdict
from dataclasses import fields as fields_of
from typing import Any

from infra.jobs.record import SCHEMA, Artifact, Attempt, Job, JobError, NewJob, Outcome, Priority, Status

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode

ATTEMPT = "attempt:"
"""Fields of this prefix hold one attempt each, as JSON."""


def pairs(flat: Iterable[str]) -> dict[str, str]:
    """The hash that a script answers as [name, value, name, value …]."""
    items = iter(flat)
    return dict(zip(items, items, strict=True))


def read_job(fields: Mapping[str, str]) -> Job:
    """The Job in a record. Unknown fields are left alone, so that a newer process may add some."""
    return Job(
        id=fields["id"],
        schema=int(fields["schema"]),
        owner=fields["owner"],
        kind=fields["kind"],
        model=fields["model"],
        queue=fields["queue"],
        status=Status(fields["status"]),
        version=int(fields["version"]),
        priority=Priority(fields["priority"]),
        cost=float(fields["cost"]),
        inputs=json.loads(fields["inputs"]),
        metadata=json.loads(fields["metadata"]),
        progress=_json(fields.get("progress")),
        attempts=_attempts(fields),
        attempt_id=fields.get("attempt_id") or None,
        artifacts=read_artifacts(fields.get("artifacts") or "[]"),
        manifest=fields.get("manifest") or None,
        manifest_sha256=fields.get("manifest_sha256") or None,
        error=_error(fields.get("error")),
        retry_of=fields.get("retry_of") or None,
        retried_as=fields.get("retried_as") or None,
        waits_for=tuple(json.loads(fields["waits_for"])),
        not_before=_number(fields.get("not_before")),
        cancel_requested_at=_number(fields.get("cancel_requested_at")),
        delete_requested_at=_number(fields.get("delete_requested_at")),
        timed_out_at=_number(fields.get("timed_out_at")),
        fails=int(fields.get("fails") or 0),
        crashes=int(fields.get("crashes") or 0),
        losses=int(fields.get("losses") or 0),
        max_attempts=int(fields["max_attempts"]),
        created_at=int(fields["created_at"]),
        started_at=_number(fields.get("started_at")),
        finished_at=_number(fields.get("finished_at")),
        expires_in_seconds=int(fields["expires_in_seconds"]),
        expires_at=_number(fields.get("expires_at")),
        start_deadline_at=_number(fields.get("start_deadline_at")),
        deadline_at=_number(fields.get("deadline_at")),
        front=bool(fields.get("front")),
        weight=float(fields["weight"]),
        webhook=fields.get("webhook") or None,
        seed_chosen=bool(fields.get("seed_chosen")),
        batch=fields.get("batch", ""),
        rows=int(fields.get("rows", 1)),
    )


def new_fields(job: NewJob) -> dict[str, str]:
    """The fields that a new record starts with; the enqueue script adds times and order."""
    fields = {
        "id": job.id,
        "schema": str(SCHEMA),
        "owner": job.owner,
        "kind": job.kind,
        "model": job.model,
        "queue": job.queue,
        "status": Status.QUEUED.value,
        "version": "1",
        "priority": Priority(job.priority).value,
        "cost": repr(float(job.cost)),
        "weight": "1.0",  # until it is claimed
        "inputs": dump(job.inputs),
        "metadata": dump(job.metadata),
        "waits_for": dump(list(job.waits_for)),
        "max_attempts": str(job.max_attempts),
        "expires_in_seconds": str(job.expires_in_seconds),
    }
    chosen = "1" if job.seed_chosen else None
    optional = {"retry_of": job.retry_of, "webhook": job.webhook, "seed_chosen": chosen}
    if job.batch:
        optional |= {"batch": job.batch, "rows": str(job.rows)}
    return fields | {name: value for name, value in optional.items() if value}


def dump(value: Any) -> str:
    """Compact JSON; refuses NaN and infinities, which other readers would not take."""
    return _encode(value)


def dump_artifacts(artifacts: Iterable[Artifact]) -> str:
    """Without what an artifact does not have, so that a record is no longer than it must be."""
    return dump([_known_of(artifact) for artifact in artifacts])


def read_artifacts(text: str) -> tuple[Artifact, ...]:
    """The artifacts of a record, also of one that an older or newer release wrote."""
    return tuple(Artifact(**known_fields(Artifact, item)) for item in json.loads(text))


def dump_error(error: JobError | None) -> str | None:
    return None if error is None else dump(asdict(error))


def _attempts(fields: Mapping[str, str]) -> tuple[Attempt, ...]:
    found = [_attempt(json.loads(value)) for name, value in fields.items() if name.startswith(ATTEMPT)]
    return tuple(sorted(found, key=lambda attempt: attempt.number))


def _attempt(item: dict[str, Any]) -> Attempt:
    return Attempt(
        id=item["id"],
        number=item["number"],
        worker=item["worker"],
        device=item["device"],
        started_at=item["started_at"],
        ended_at=item.get("ended_at"),
        outcome=Outcome(item["outcome"]) if "outcome" in item else None,
        error=_error(item.get("error")),
    )


def _known_of(artifact: Artifact) -> dict[str, Any]:
    return {
        name: value
        for name, required in ARTIFACT_FIELDS.items()
        if (value := getattr(artifact, name)) not in (None, {}) or required
    }


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


ARTIFACT_FIELDS = {field.name: _is_required(field) for field in fields_of(Artifact)}
"""Whether each has to be there."""


def _error(text: str | None) -> JobError | None:
    return JobError(**known_fields(JobError, json.loads(text))) if text else None


def known_fields(record: type[Any], item: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that this code knows of a record that newer code may have written."""
    names = {field.name for field in fields_of(record)}
    return {name: value for name, value in item.items() if name in names}


def _json(text: str | None) -> dict[str, Any] | None:
    return json.loads(text) if text else None


def _number(text: str | None) -> int | None:
    return int(text) if text else None
