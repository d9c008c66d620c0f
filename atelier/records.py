"""What the server answers, as frozen records. Fields that this version does not know stay in `raw`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Json = dict[str, Any]
Priority = Literal["low", "normal", "high"]

#: The states in which a job stays for good.
FINAL = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True)
class Progress:
    """How far the running attempt is. fraction: 0 to 1; step of steps, if they are counted; stage: a word;
    loaded: how much of its model has been read, 0 to 1, while it is being loaded, if that is known.
    """

    fraction: float
    step: int | None = None
    steps: int | None = None
    stage: str | None = None
    loaded: float | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Progress":
        known = (data.get(name) for name in ("step", "steps", "stage", "loaded"))
        return cls(float(data.get("fraction") or 0.0), *known)


@dataclass(frozen=True)
class JobError:
    """Why an attempt or a job failed. retryable: the same inputs may well work another time."""

    type: str
    title: str
    detail: str
    retryable: bool

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "JobError":
        return cls(
            str(data.get("type", "")),
            str(data.get("title", "")),
            str(data.get("detail", "")),
            bool(data.get("retryable", False)),
        )


@dataclass(frozen=True)
class Attempt:
    """One execution by one worker; outcome is None while it runs."""

    number: int
    worker: str | None
    device: str | None
    started_at: datetime | None
    ended_at: datetime | None
    outcome: str | None
    error: JobError | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Attempt":
        return cls(
            int(data.get("number", 0)),
            data.get("worker"),
            data.get("device"),
            time_of(data.get("started_at")),
            time_of(data.get("ended_at")),
            data.get("outcome"),
            _error(data.get("error")),
        )


MEASURES = ("width", "height", "duration_seconds", "frames", "fps", "sample_rate", "channels")


@dataclass(frozen=True)
class Artifact:
    """One stored file. role: `output`, or what was made from one: `thumbnail`, `preview`, `frames`, `score`.

    bytes: its size. sample_sha256: digest of what the model made, whatever the file's format.
    url: a path of the API. facts: what is known of it beside, such as `finish_reason`.
    What a file does not have is None: width and height in pixels, duration_seconds, the number of frames,
    fps, sample_rate and channels of its sound.
    """

    name: str
    index: int
    role: str
    media_type: str
    bytes: int
    sha256: str
    url: str
    seed: int | None = None
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    frames: int | None = None
    fps: float | None = None
    sample_rate: int | None = None
    channels: int | None = None
    sample_sha256: str | None = None
    facts: Json = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Artifact":
        return cls(
            str(data["name"]),
            int(data.get("index", 0)),
            str(data.get("role", "output")),
            str(data.get("media_type", "application/octet-stream")),
            int(data.get("bytes", 0)),
            str(data.get("sha256", "")),
            str(data.get("url", "")),
            data.get("seed"),
            **{name: data.get(name) for name in MEASURES},
            sample_sha256=data.get("sample_sha256"),
            facts=data.get("facts") or {},
        )


@dataclass(frozen=True)
class Job:
    """One request and what became of it. raw: the whole answer, as the server sent it.

    status: queued, running, succeeded, failed or cancelled; the last three are final.
    position: its place in its queue, 1 first; None where that is not known or the job is not queued.
    paused: it is queued, and an operator has paused its queue or model. front: one has raised it.
    estimated_start_seconds: None where there is no estimate.
    webhook: who is told when it is over, an endpoint's id or a URL.
    """

    id: str
    kind: str
    model: str
    status: str
    version: int
    inputs: Json
    metadata: Json
    progress: Progress | None
    position: int | None
    paused: bool
    front: bool
    estimated_start_seconds: float | None
    attempts: tuple[Attempt, ...]
    artifacts: tuple[Artifact, ...]
    error: JobError | None
    retry_of: str | None
    webhook: str | None
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    raw: Json

    @property
    def final(self) -> bool:
        return self.status in FINAL

    @property
    def outputs(self) -> tuple[Artifact, ...]:
        """The artifacts that were asked for, without what was made from them."""
        return tuple(each for each in self.artifacts if each.role == "output")

    @classmethod
    def from_json(cls, data: Json) -> "Job":
        queue = data.get("queue") or {}
        progress = data.get("progress")
        return cls(
            id=data["id"],
            kind=data["kind"],
            model=data["model"],
            status=data["status"],
            version=int(data["version"]),
            inputs=data.get("inputs") or {},
            metadata=data.get("metadata") or {},
            progress=Progress.from_json(progress) if progress else None,
            position=queue.get("position"),
            paused=bool(queue.get("paused")),
            front=bool(queue.get("front")),
            estimated_start_seconds=queue.get("estimated_start_seconds"),
            attempts=tuple(Attempt.from_json(each) for each in data.get("attempts") or ()),
            artifacts=tuple(Artifact.from_json(each) for each in data.get("artifacts") or ()),
            error=_error(data.get("error")),
            retry_of=data.get("retry_of"),
            webhook=data.get("webhook"),
            created_at=time_of(data.get("created_at")),
            started_at=time_of(data.get("started_at")),
            finished_at=time_of(data.get("finished_at")),
            raw=data,
        )


@dataclass(frozen=True)
class Page:
    """Some jobs, newest first; next_cursor is None on the last page."""

    jobs: tuple[Job, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class Event:
    """A past fact about a job: `job.queued`, `job.started`, `job.progressed`, `job.output`, `job.failed`, …

    id: where to resume after it. Live progress is not kept and has the id of the last event that is.
    """

    id: str
    type: str
    data: Json

    @property
    def final(self) -> bool:
        return self.type.removeprefix("job.") in FINAL


def time_of(text: str | None) -> datetime | None:
    """The moment in an answer, if it is there."""
    return datetime.fromisoformat(text) if text else None


def _error(data: Mapping[str, Any] | None) -> JobError | None:
    return JobError.from_json(data) if data else None
