"""What the API answers about models, kinds, queues and workers."""

from collections.abc import Sequence
from dataclasses import asdict

from pydantic import BaseModel, Field

from api.bodies import TIME, Json, timestamp, without_nothing
from infra.jobs.answers import QueueStats, WorkerCard, WorkerInfo
from pipelines.kinds import KINDS, schema_of
from pipelines.models import Model


class ModelBody(BaseModel):
    """One model, in the shape of OpenAI's list with fields of ours."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str
    title: str
    family: str
    kinds: list[str]
    default_for: list[str]
    queue: str
    licence: str
    licence_class: str = Field(description="`open`, `conditions`, `non-commercial` (accepted) or `unknown`.")
    loras: list[dict[str, str]] = Field(
        description="What `loras` may name, as `name`, `title` and `licence`; none for most models."
    )
    revision: str
    memory_bytes: int | None = None
    defaults: Json
    limits: Json
    inputs: Json = Field(
        description="By kind: the JSON Schema of the inputs with this model's defaults and limits."
    )
    paused: bool = Field(description="Its jobs are not started until an operator resumes it.")
    warm: int = Field(description="Live workers that have it loaded.")
    workers: int = Field(description="Live workers that can serve it; 0 means that its jobs wait.")


class KindBody(BaseModel):
    """One kind and the JSON Schema of its inputs."""

    id: str
    object: str = "kind"
    summary: str
    makes: str = Field(
        description="`image`, `video`, `audio` or `text`; an upscale makes what it is given, mostly an image."
    )
    files: dict[str, str] = Field(
        description="What each input that takes a file may be given, in the same words."
    )
    default_model: str | None = None
    models: list[str]
    inputs: Json = Field(description="JSON Schema.")


class QueueBody(BaseModel):
    """One queue now, and what it has done so far."""

    name: str
    ready: int
    delayed: int
    waiting: int
    running: int
    oldest_wait_seconds: float
    succeeded: int
    failed: int
    cancelled: int
    device_seconds: float
    jobs_per_second: float = Field(description="Attempts that ended a second, over the last minutes.")
    seconds_per_job: float | None = Field(
        None, description="How long each kept a worker busy; left out when none ended within the last hour."
    )
    workers: int
    idle_workers: int
    paused: bool = Field(description="Its jobs are not started until an operator resumes it.")


class MeasuredBody(BaseModel):
    """What a model has cost a worker that has loaded it."""

    model: str
    warm: bool = Field(description="It is loaded now.")
    bytes: int = Field(description="Of its weights, with what it shares with other models.")
    load_seconds: float = Field(description="How long it took the last time: what a cold start costs here.")


class MemoryBody(BaseModel):
    """The memory of a worker's device, as far as it is there for models."""

    budget_bytes: int = Field(description="What loaded weights and a run may take.")
    held_bytes: int = Field(description="What all loaded weights take; what models share counts once.")
    models: list[MeasuredBody] = Field(description="Every model that it has loaded since it started.")


class WorkerBody(BaseModel):
    """One live worker."""

    id: str
    device: str
    queues: list[str]
    models: list[str]
    warm: list[str] = Field(description="Models that are loaded, last used last.")
    memory: MemoryBody | None = Field(None, description="Left out until its engine has started.")
    idle: bool
    running: int = Field(description="Jobs that it runs.")
    paused: bool = Field(description="It starts no jobs until an operator resumes it.")
    trouble: str | None = Field(
        None, description="Why it starts no jobs for now, although it lives; left out when all is well."
    )
    since: str = Field(json_schema_extra=TIME)
    seen_at: str = Field(json_schema_extra=TIME)


def model_body(model: Model, workers: Sequence[WorkerInfo], *, paused: bool) -> Json:
    return without_nothing(
        {
            "id": model.name,
            "object": "model",
            "created": 0,
            "owned_by": model.name.partition("/")[0],
            "title": model.title or model.name,
            "family": model.family,
            "kinds": list(model.kinds),
            "default_for": list(model.default_for),
            "queue": model.queue,
            "licence": model.licence,
            "licence_class": model.licence_class,
            "loras": [
                {"name": lora.name, "title": lora.title or lora.name, "licence": lora.licence}
                for lora in model.loras.values()
            ],
            "revision": model.revision,
            "memory_bytes": model.memory_bytes or None,
            "defaults": dict(model.defaults),
            "limits": {name: limit.model_dump(exclude_none=True) for name, limit in model.limits.items()},
            "inputs": {kind: model.schema_for(kind) for kind in model.kinds},
            "paused": paused,
            "warm": sum(model.name in worker.card.warm for worker in workers),
            "workers": sum(model.name in worker.card.models for worker in workers),
        }
    )


def kind_body(kind: str, models: list[Model], default: Model | None) -> Json:
    return without_nothing(
        {
            "id": kind,
            "object": "kind",
            "summary": KINDS[kind].summary,
            "makes": KINDS[kind].outputs,
            "files": dict(KINDS[kind].media),
            "default_model": default.name if default else None,
            "models": [model.name for model in models],
            "inputs": schema_of(kind),
        }
    )


def queue_body(stats: QueueStats) -> Json:
    same = (name for name in QueueBody.model_fields if name != "idle_workers")
    return without_nothing({name: getattr(stats, name) for name in same}) | {"idle_workers": stats.parked}


def worker_body(worker: WorkerInfo) -> Json:
    """Without host and process id: those are for the operator, who has the logs."""
    return without_nothing(
        {
            "id": worker.card.id,
            "device": worker.card.device,
            "queues": list(worker.card.queues),
            "models": list(worker.card.models),
            "warm": list(worker.card.warm),
            "memory": _memory_body(worker.card) if worker.card.memory_budget else None,
            "idle": worker.parked,
            "running": len(worker.jobs),
            "paused": worker.paused,
            "trouble": worker.trouble or None,
            "since": timestamp(worker.since),
            "seen_at": timestamp(worker.seen_at),
        }
    )


def _memory_body(card: WorkerCard) -> Json:
    models = [{**asdict(each), "warm": each.model in card.warm} for each in card.measured]
    return {"budget_bytes": card.memory_budget, "held_bytes": card.memory_held, "models": models}
