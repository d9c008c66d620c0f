"""What the API answers with. The models are the schema in /openapi.json; the functions fill them from our
records.

A field whose value is not known (an estimate, a start that has not happened) is left out, never guessed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from infra.jobs.answers import Standing
from infra.jobs.record import Artifact, Attempt, Job, JobError, Status
from infra.uploads import Upload

Json = dict[str, Any]
TIME: JsonDict = {"format": "date-time"}
NOWHERE = Standing(None, paused=False)


class ErrorBody(BaseModel):
    """Why a job or an attempt failed."""

    type: str = Field(description="Slug that programs can branch on, such as `out_of_memory`.")
    title: str
    detail: str
    retryable: bool = Field(description="Whether the same request may succeed when it is run again.")


class ProgressBody(BaseModel):
    """How far the running attempt is."""

    fraction: float = Field(ge=0, le=1)
    step: int | None = None
    steps: int | None = None
    stage: str | None = Field(None, description="`loading` (the model), `running`, `encoding` or `storing`.")
    loaded: float | None = Field(
        None,
        ge=0,
        le=1,
        description="While it is `loading`: which part of the model's files has been read. Left out where"
        " that is not known.",
    )


class PlaceBody(BaseModel):
    """Where a queued job stands."""

    position: int | None = Field(
        None,
        description="Place in its queue, 1 is next; left out in lists, in the answer to a submission and"
        " while it waits for something else.",
    )
    estimated_start_seconds: float | None = Field(
        None,
        description="In about how many seconds it starts, from how fast such jobs went of late; left out"
        " where the position is, and while it is not known.",
    )
    paused: bool = Field(description="Its queue or its model is paused: it waits for an operator.")
    front: bool = Field(description="An operator has raised it to the front of its queue.")


class AttemptBody(BaseModel):
    """One execution by one worker."""

    id: str
    number: int
    worker: str
    device: str
    started_at: str = Field(json_schema_extra=TIME)
    ended_at: str | None = Field(None, json_schema_extra=TIME)
    outcome: str | None = Field(
        None,
        description="succeeded, failed, cancelled, timed_out, released, crashed or lost; left out at first.",
    )
    error: ErrorBody | None = None


class ArtifactBody(BaseModel):
    """One stored output."""

    name: str
    index: int = Field(description="Which output it belongs to, from 0.")
    role: str = Field(
        description="`output`, or what was made from that output: `thumbnail` (of a sound: its waveform),"
        " `preview` (an animated GIF), `frames` (a ZIP of them), `score` (the notes as MIDI)."
    )
    seed: int | None = None
    media_type: str
    bytes: int
    sha256: str = Field(description="Digest of the file.")
    sample_sha256: str | None = Field(
        None, description="Digest of the decoded sample, whatever the encoder did."
    )
    width: int | None = Field(None, description="Pixels; of pictures and videos.")
    height: int | None = None
    duration_seconds: float | None = Field(None, description="Of sounds and videos.")
    frames: int | None = Field(None, description="Of videos.")
    fps: float | None = Field(None, description="Frames a second; of videos.")
    sample_rate: int | None = Field(
        None, description="Samples a second; of sounds, and of videos that have one."
    )
    channels: int | None = Field(None, description="Of the sound.")
    facts: Json | None = Field(
        None,
        description="What is known of the output beside, such as `finish_reason` and `tokens` of a text,"
        " `language` and `parses` of code, `tempo` of music; left out where nothing is.",
    )
    url: str = Field(description="Path on this API.")


class UrlsBody(BaseModel):
    """Paths of this job's calls on this API."""

    self: str
    cancel: str
    events: str


class JobBody(BaseModel):
    """One job."""

    id: str
    kind: str
    model: str
    status: str = Field(
        description="queued, running, succeeded, failed or cancelled; the last three are final."
    )
    version: int = Field(description="Grows with every change; also the ETag.")
    priority: str
    inputs: Json = Field(description="Effective inputs: defaults filled in, seed chosen.")
    metadata: Json
    progress: ProgressBody | None = None
    queue: PlaceBody | None = Field(None, description="Only while the job is queued.")
    waits_for: list[str] | None = Field(None, description="Jobs that must succeed first.")
    attempts: list[AttemptBody]
    artifacts: list[ArtifactBody] = Field(description="Filled once the job has succeeded.")
    error: ErrorBody | None = None
    retry_of: str | None = None
    webhook: str | None = Field(None, description="Who is told when it is over: an endpoint's id or a URL.")
    cancel_requested_at: str | None = Field(None, json_schema_extra=TIME)
    not_before: str | None = Field(
        None, description="Not tried again before this time.", json_schema_extra=TIME
    )
    created_at: str = Field(json_schema_extra=TIME)
    started_at: str | None = Field(None, json_schema_extra=TIME)
    finished_at: str | None = Field(None, json_schema_extra=TIME)
    expires_at: str | None = Field(
        None, description="The job and its artifacts are removed after this.", json_schema_extra=TIME
    )
    urls: UrlsBody


class JobListBody(BaseModel):
    """Some jobs, newest first."""

    data: list[JobBody]
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null on the last one."
    )


class ChainBody(BaseModel):
    """The jobs of a list, in the order sent."""

    data: list[JobBody]


class CountBody(BaseModel):
    """How many jobs a call for many has changed."""

    count: int
    next_cursor: str | None = Field(
        description="Not null when the call ended before all jobs were looked at: say it again with this"
        " `cursor` to go on."
    )


class UploadBody(BaseModel):
    """A stored upload."""

    id: str = Field(description='For inputs: `{"upload": id}`.')
    filename: str
    media_type: str = Field(
        description="As stored, whatever was sent: image/png, audio/flac, audio/midi or video/webm."
    )
    bytes: int
    sha256: str
    width: int | None = Field(None, description="Pixels; of images and videos.")
    height: int | None = None
    duration_seconds: float | None = Field(None, description="Of sounds and videos.")
    frames: int | None = Field(None, description="Of videos.")
    created_at: str = Field(json_schema_extra=TIME)
    expires_at: str = Field(description="Later when a job refers to it.", json_schema_extra=TIME)


def timestamp(milliseconds: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def job_path(job_id: str) -> str:
    """Path of a job on this API."""
    return f"/v1/jobs/{job_id}"


def job_body(job: Job, *, standing: Standing = NOWHERE, live: Mapping[str, Any] | None = None) -> Json:
    """The job as clients see it; `live` is progress that is fresher than the record's."""
    path = job_path(job.id)
    progress = (live or job.progress) if job.status is Status.RUNNING else None
    return without_nothing(
        {
            "id": job.id,
            "kind": job.kind,
            "model": job.model,
            "status": job.status.value,
            "version": job.version,
            "priority": str(job.priority),
            "inputs": job.inputs,
            "metadata": job.metadata,
            "progress": progress_body(progress) if progress else None,
            "queue": place_body(job, standing) if job.status is Status.QUEUED else None,
            "waits_for": list(job.waits_for) or None,
            "attempts": [attempt_body(attempt) for attempt in job.attempts],
            "artifacts": [artifact_body(job.id, artifact) for artifact in job.artifacts],
            "error": error_body(job.error) if job.error else None,
            "retry_of": job.retry_of,
            "webhook": job.webhook,
            "cancel_requested_at": maybe_time(job.cancel_requested_at),
            "not_before": maybe_time(job.not_before) if job.status is Status.QUEUED else None,
            "created_at": timestamp(job.created_at),
            "started_at": maybe_time(job.started_at),
            "finished_at": maybe_time(job.finished_at),
            "expires_at": maybe_time(job.expires_at),
            "urls": {"self": path, "cancel": f"{path}/cancel", "events": f"{path}/events"},
        }
    )


def place_body(job: Job, standing: Standing) -> Json:
    return without_nothing(
        {
            "position": standing.position,
            "estimated_start_seconds": standing.estimated_start_seconds,
            "paused": standing.paused,
            "front": job.front,
        }
    )


def progress_body(progress: Mapping[str, Any]) -> Json:
    """{fraction, step, steps, stage}, those that are known."""
    return {name: progress[name] for name in ProgressBody.model_fields if progress.get(name) is not None}


def attempt_body(attempt: Attempt) -> Json:
    return without_nothing(
        {
            "id": attempt.id,
            "number": attempt.number,
            "worker": attempt.worker,
            "device": attempt.device,
            "started_at": timestamp(attempt.started_at),
            "ended_at": maybe_time(attempt.ended_at),
            "outcome": attempt.outcome.value if attempt.outcome else None,
            "error": error_body(attempt.error) if attempt.error else None,
        }
    )


def artifact_body(job_id: str, artifact: Artifact) -> Json:
    known = {name: getattr(artifact, name) for name in ArtifactBody.model_fields if name != "url"}
    known["facts"] = dict(artifact.facts) or None
    return without_nothing(known) | {"url": f"{job_path(job_id)}/artifacts/{artifact.name}"}


def error_body(error: JobError) -> Json:
    return {"type": error.type, "title": error.title, "detail": error.detail, "retryable": error.retryable}


def upload_body(upload: Upload) -> Json:
    same = (name for name in UploadBody.model_fields if not name.endswith("_at"))
    times = {"created_at": timestamp(upload.created_at), "expires_at": timestamp(upload.expires_at)}
    return without_nothing({name: getattr(upload, name) for name in same}) | times


def maybe_time(milliseconds: int | None) -> str | None:
    """The same, for a moment that may not have come."""
    return None if milliseconds is None else timestamp(milliseconds)


def without_nothing(fields: Json) -> Json:
    """Without the fields that are not known."""
    return {name: value for name, value in fields.items() if value is not None}
