"""What operators do to queues, models, workers and other people's jobs: pause, resume, raise, list.

Each change is one script, safe to say again. Cancelling and retrying many is in `bulk`.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from infra.connections import translate
from infra.errors import JobNotFound
from infra.jobs.codec import pairs, read_job
from infra.jobs.record import Job
from infra.jobs.scripts import PREFIX
from infra.jobs.writer import Writer
from infra.keys import BOOTSTRAP_OWNER, LOCAL_OWNER, Keys

PAUSED = PREFIX + "paused"


class What(StrEnum):
    """What can be paused."""

    QUEUE = "queue"
    """No job is claimed from it."""
    MODEL = "model"
    """No job of it is claimed, from any queue."""
    WORKER = "worker"
    """It finishes what it runs and claims nothing more: a drain that can be taken back."""


@dataclass(frozen=True, slots=True)
class Pause:
    """One queue, model or worker that is paused."""

    what: What
    name: str
    """Name of the queue or model, id of the worker."""
    at: int
    """Since when, epoch ms."""
    by: str
    """Owner of the key that paused it."""
    reason: str
    """In the operator's words; may be empty."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """All that is paused at one moment."""

    all: tuple[Pause, ...]
    """By what, then by name."""

    def of(self, what: What, name: str) -> Pause | None:
        """The pause of this one; None when it goes on."""
        return next((pause for pause in self.all if (pause.what, pause.name) == (what, name)), None)

    def hold(self, job: Job) -> bool:
        """Whether this job is not claimed, while it is queued."""
        return bool(self.of(What.QUEUE, job.queue) or self.of(What.MODEL, job.model))


class Operator(Writer):
    """Saying it again is safe."""

    def pause(self, what: What, name: str, by: str, reason: str = "") -> Pause:
        """Have nothing claimed from it, of it or by it; what runs goes on. A pause that stands already is
        answered as it is."""
        _, text, _ = self._scripts.run_durably("pause", what=what, name=name, by=by, reason=reason)
        return _pause(f"{what}:{name}", text)

    def resume(self, what: What, name: str) -> bool:
        """Take the pause back; False when there was none."""
        word, _, _ = self._rung(self._scripts.run_durably("resume", what=what, name=name))
        return word == "resumed"

    @translate()
    def pauses(self) -> Pauses:
        """What is paused now."""
        found = cast(Mapping[str, str], self._state.hgetall(PAUSED))
        return Pauses(tuple(_pause(field, found[field]) for field in sorted(found)))

    def front(self, job_id: str) -> Job:
        """Raise a queued job to the front of its queue, before all owners' jobs, until it has ended.

        The next worker that claims and is able to run it takes it, even past its owner's running limit. One
        that waits for something is raised from when it is ready. A running or final job stays as it is.
        JobNotFound.
        """
        word, record, _ = self._rung(self._scripts.run("front", job_id=job_id, raise_id=secrets.token_hex(8)))
        if word == "missing":
            raise JobNotFound
        return read_job(pairs(record))

    @translate()
    def owners(self) -> tuple[str, ...]:
        """Everybody who may have jobs, by name: who has ever submitted one, and whoever has a key."""
        known = cast(set[str], self._state.smembers(f"{PREFIX}owners"))
        keys = {key.owner for key in Keys(self._state).list()}
        return tuple(sorted(known | keys | {LOCAL_OWNER, BOOTSTRAP_OWNER}))


def _pause(field: str, text: str) -> Pause:
    what, _, name = field.partition(":")
    told = json.loads(text)
    return Pause(What(what), name, int(told["at"]), told["by"], told["reason"])
