"""What the operator's calls take and answer with."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from api.bodies import TIME, ErrorBody, Json, error_body, maybe_time, timestamp, without_nothing
from infra.jobs.answers import OwnerUsage
from infra.jobs.operator import Pause, What
from infra.jobs.owners import OwnerSettings
from infra.jobs.record import Job

ONE_OF: JsonDict = {"oneOf": [{"required": [what.value]} for what in What]}
Name = Annotated[str, Field(min_length=1, max_length=160, pattern=r"^[^\x00]+$")]


class Target(BaseModel):
    """A queue, a model or a worker: exactly one of them."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, json_schema_extra=ONE_OF)

    queue: Name = Field("", description="Name of a queue.")
    model: Name = Field("", description="Name of a model.")
    worker: Name = Field("", description="Id of a live worker, as `/v1/workers` shows it.")

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if len(self.model_fields_set & set(What)) != 1:
            raise ValueError("give exactly one of queue, model and worker")
        return self

    def target(self) -> tuple[What, str]:
        """What is meant, and its name."""
        return next((what, getattr(self, what)) for what in What if getattr(self, what))


class PauseOrder(Target):
    """What to pause."""

    reason: str = Field(
        "",
        max_length=200,
        pattern=r"^[^\x00]*$",
        description="For other operators, who see it with the pause.",
    )


class ResumeOrder(Target):
    """What to resume."""


class PauseBody(BaseModel):
    """One pause."""

    what: str = Field(description="queue, model or worker.")
    name: str
    since: str = Field(json_schema_extra=TIME)
    by: str = Field(description="Owner of the key that asked for it.")
    reason: str


class ResumedBody(BaseModel):
    """What was resumed."""

    what: str
    name: str
    resumed: bool = Field(description="False when it was not paused.")


class OwnerOrder(OwnerSettings):
    """What to change of an owner's settings; null: as everybody again."""


class OwnerBody(BaseModel):
    """An owner's settings, and what they are used for now."""

    owner: str
    weight: float
    max_queued: int
    max_running: int
    rate: float
    burst: int
    own: list[str] = Field(description="Which of these the owner has of its own; the others are everybody's.")
    queued: int = Field(description="Jobs that wait now.")
    running: int = Field(description="Jobs that run now.")


class AdminJobBody(BaseModel):
    """A job as operators see it: whose it is and how it fares, not what it is about."""

    id: str
    owner: str
    kind: str
    model: str
    queue: str
    status: str
    priority: str
    front: bool = Field(description="It was raised to the front of its queue.")
    attempts: int = Field(description="How many there were.")
    worker: str | None = Field(None, description="Of the last attempt.")
    error: ErrorBody | None = None
    retry_of: str | None = None
    retried_as: str | None = None
    cancel_requested_at: str | None = Field(None, json_schema_extra=TIME)
    created_at: str = Field(json_schema_extra=TIME)
    started_at: str | None = Field(None, json_schema_extra=TIME)
    finished_at: str | None = Field(None, json_schema_extra=TIME)
    expires_at: str | None = Field(None, json_schema_extra=TIME)


class AdminJobListBody(BaseModel):
    """Some jobs, newest first."""

    data: list[AdminJobBody]
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null on the last one."
    )


def pause_body(pause: Pause) -> Json:
    return {
        "what": pause.what.value,
        "name": pause.name,
        "since": timestamp(pause.at),
        "by": pause.by,
        "reason": pause.reason,
    }


def owner_body(owner: str, own: OwnerSettings, common: OwnerSettings, usage: OwnerUsage) -> Json:
    return {
        "owner": owner,
        **own.over(common).own(),
        "own": list(own.own()),
        "queued": usage.queued,
        "running": usage.running,
    }


def admin_job_body(job: Job) -> Json:
    return without_nothing(
        {
            "id": job.id,
            "owner": job.owner,
            "kind": job.kind,
            "model": job.model,
            "queue": job.queue,
            "status": job.status.value,
            "priority": str(job.priority),
            "front": job.front,
            "attempts": len(job.attempts),
            "worker": job.attempts[-1].worker if job.attempts else None,
            "error": error_body(job.error) if job.error else None,
            "retry_of": job.retry_of,
            "retried_as": job.retried_as,
            "cancel_requested_at": maybe_time(job.cancel_requested_at),
            "created_at": timestamp(job.created_at),
            "started_at": maybe_time(job.started_at),
            "finished_at": maybe_time(job.finished_at),
            "expires_at": maybe_time(job.expires_at),
        }
    )
