"""One attempt while this worker has it: the record that every step of the lifecycle reads and writes."""

import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from infra.jobs.record import Artifact, Job, JobError, Outcome
from pipelines.kinds import Inputs
from pipelines.models import Model
from pipelines.outputs import File
from pipelines.safety import Verdict
from workers.drain import Drain


class Stop(StrEnum):
    """Why an attempt must end before its work does."""

    CANCELLED = "cancelled"
    """Its owner asked for it."""
    TIMED_OUT = "timed_out"
    """The job's deadline has passed."""
    LOST = "lost"
    """The lease is somebody else's: whatever this attempt makes is dropped and nobody is told."""
    RELEASED = "released"
    """This worker is ending and has no more time."""


class Interrupted(Exception):
    """The attempt must end now."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop.value)
        self.stop = stop


@dataclass(frozen=True)
class Failure:
    """Why an attempt has no result."""

    outcome: Outcome
    """What the queue is told; `lost` means that there is nothing to tell."""
    error: JobError | None = None


@dataclass
class Delta:
    """Text of one output that clients have not been told yet; `offset` counts characters from the output's
    start.
    """

    index: int
    offset: int
    text: str


@dataclass(eq=False)  # itself and no other, also before it has all its fields
class LiveAttempt:
    """Written by one thread after the other: who prepares it, the work loop, who finishes it; but for what
    `hear` and `take_news` guard, which the beats and the exchange share.
    """

    job: Job
    id: str
    folder: Path
    """Scratch folder of this attempt alone; made by the first step, gone when the attempt ends."""
    drain: Drain
    started: float = field(default_factory=time.monotonic)
    model: Model = field(init=False)
    """Set, as `inputs` is, by the first step."""
    inputs: Inputs = field(init=False)
    """The job's inputs, read back from the record; texts of other jobs come in with the fetched files."""
    files: dict[str, Path] = field(default_factory=dict)
    """Input files by field name, fetched into `folder`."""
    request: dict[str, Any] = field(default_factory=dict)
    """What the engine is told of it."""
    handed_over: float = 0.0
    """When it was given to the engine, by the monotonic clock."""
    in_run: bool = False
    """Whether the run that it was given to goes on, though it may have been stopped itself."""
    is_open: bool = True
    """Whether it has yet to run, or runs now."""
    verdict: Verdict = field(default_factory=Verdict)
    """What the safety policy makes of the prompt."""
    made: list[File] = field(default_factory=list)
    """What the engine wrote into `folder`."""
    artifacts: list[Artifact] = field(default_factory=list)
    """What has been stored, in the order of `made`."""
    manifest_key: str = ""
    manifest_sha256: str = ""
    unanswered: bool = False
    """Whether a commit was sent that nobody has answered: it may count, so what is stored must stay."""
    failure: Failure | None = None
    """Set by the first step that fails; later steps then do nothing."""
    progress: dict[str, Any] = field(default_factory=dict)
    """{fraction, step, steps, stage, loaded?, attempt_id}: what beats and live progress show."""

    def __post_init__(self) -> None:
        self.telling = threading.Lock()
        """Held while text is being told, so that it is told in order."""
        self._lock = threading.Lock()
        self._stop: Stop | None = None
        self._news = False
        self._preview: bytes | None = None
        self._deltas: list[Delta] = []
        self._offsets: dict[int, int] = {}

    # Stopping

    def hear(self, stop: Stop) -> None:
        """Note why this attempt must end; the first reason stays, but a lost lease overrules."""
        with self._lock:
            if self._stop is None or stop is Stop.LOST:
                self._stop = stop

    @property
    def stop(self) -> Stop | None:
        """Why this attempt must end, or None."""
        if self._stop is None and self.drain.over:
            return Stop.RELEASED
        return self._stop

    def check(self) -> None:
        """Raise Interrupted when the attempt must end."""
        if (stop := self.stop) is not None:
            raise Interrupted(stop)

    @property
    def outcome(self) -> Outcome:
        """How it ended, once it has."""
        return self.failure.outcome if self.failure else Outcome.SUCCEEDED

    def context(self) -> dict[str, str]:
        """What every record of the log says about it."""
        job = self.job
        return {
            "job_id": job.id,
            "attempt_id": self.id,
            "kind": job.kind,
            "model": job.model,
            "owner": job.owner,
        }

    def summary(self) -> dict[str, Any]:
        """How it ended, for the log."""
        error = self.failure.error if self.failure else None
        seconds = round(time.monotonic() - self.started, 3)
        return {
            "outcome": self.outcome.value,
            "error_type": error.type if error else None,
            "seconds": seconds,
        }

    # News for clients

    def enter(self, stage: str) -> None:
        """Note that the attempt is now `loading`, `running`, `encoding` or `storing`."""
        known = {name: value for name, value in self.progress.items() if name != "loaded"}
        self._tell({"fraction": 0.0, "step": 0, "steps": 0, **known, "stage": stage})

    def note_loaded(self, fraction: float) -> None:
        """Note how much of its model's files has been read."""
        self._tell({"fraction": 0.0, "step": 0, "steps": 0, "stage": "loading", "loaded": fraction})

    def advance(self, step: int, steps: int, preview: bytes | None = None) -> None:
        """Note that `step` of `steps` is done, and what it looks like, if known."""
        fraction = round(step / steps, 4) if steps else 0.0
        self._tell({"fraction": fraction, "step": step, "steps": steps, "stage": "running"}, preview)

    def _tell(self, progress: dict[str, Any], preview: bytes | None = None) -> None:
        with self._lock:
            self.progress = {**progress, "attempt_id": self.id}
            self._preview = preview or self._preview
            self._news = True

    def write(self, index: int, text: str) -> None:
        """Note more text of output `index`; what waits to be told is joined."""
        with self._lock:
            offset = self._offsets.get(index, 0)
            self._offsets[index] = offset + len(text)
            if self._deltas and self._deltas[-1].index == index:
                self._deltas[-1].text += text
            else:
                self._deltas.append(Delta(index, offset, text))

    def take_news(self) -> tuple[dict[str, Any], bytes | None] | None:
        """Progress and preview, if there is any since the last call; a preview is told once."""
        with self._lock:
            if not self._news:
                return None
            self._news = False
            preview, self._preview = self._preview, None
            return self.progress, preview

    def take_deltas(self) -> list[Delta]:
        """Text to tell, in order; the caller gives back what it could not tell."""
        with self._lock:
            deltas, self._deltas = self._deltas, []
            return deltas

    def give_back(self, deltas: list[Delta]) -> None:
        """Put untold text in front again."""
        with self._lock:
            self._deltas[:0] = deltas
