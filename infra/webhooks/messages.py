"""Messages: what a receiver is told, and the log of how that went."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from infra.jobs.codec import dump

TEST_TYPE = "webhook.test"
ATTEMPT = "attempt:"
"""Fields of this prefix hold one attempt each, as JSON."""


class DeliveryState(StrEnum):
    """Where a message stands."""

    PENDING = "pending"
    """Not delivered yet: it is being sent, or waits for `next_attempt_at`."""
    DELIVERED = "delivered"
    """The receiver answered 2xx."""
    FAILED = "failed"
    """Given up: the schedule is over, or the webhook is gone. `redeliver` begins anew."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as a dispatcher takes it."""

    id: str
    """The same in every attempt, so that a receiver knows what it has seen: the `webhook-id`."""
    owner: str
    job: str
    type: str
    """`job.succeeded`, `job.failed`, `job.cancelled`."""
    status: str
    kind: str
    model: str
    version: int
    """Of the job's record, when it ended."""
    at: int
    """When it ended, epoch ms."""
    webhook: str
    """An endpoint's id, or a URL."""
    tries: int
    """Attempts since the schedule began."""
    lease: str
    """Token of the dispatcher that is sending it."""

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> Self:
        return cls(
            **{
                name: fields[name]
                for name in ("id", "owner", "job", "type", "status", "kind", "model", "webhook")
            },
            version=int(fields["version"]),
            at=int(fields["at"]),
            tries=int(fields.get("tries", 0)),
            lease=fields.get("lease", ""),
        )

    def body(self) -> bytes:
        """What is sent, byte for byte the same in every attempt. Thin: the API has the job itself."""
        data = {
            "id": self.job,
            "status": self.status,
            "kind": self.kind,
            "model": self.model,
            "version": self.version,
        }
        return body_of(self.type, self.at, data)


def body_of(kind: str, at: int, data: Mapping[str, Any]) -> bytes:
    """A body in the shape that Standard Webhooks recommends."""
    time = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return dump({"type": kind, "timestamp": time, "data": data}).encode()


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One attempt to deliver a message."""

    at: int
    """When it began, epoch ms."""
    milliseconds: int
    """How long it took."""
    status: int | None = None
    """What the receiver answered; None when it did not."""
    error: str | None = None
    """Why there was no answer."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message and what became of it so far."""

    message: Message
    state: DeliveryState
    attempts: tuple[DeliveryAttempt, ...]
    """The last 50, oldest first."""
    next_attempt_at: int | None
    """Epoch ms, while it is pending; in the past when its turn has come."""

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> Self:
        state = DeliveryState(fields.get("state", DeliveryState.PENDING))
        pending = state is DeliveryState.PENDING
        return cls(
            message=Message.read(fields),
            state=state,
            attempts=_attempts(fields),
            next_attempt_at=int(fields.get("due", fields["at"])) if pending else None,
        )


def _attempts(fields: Mapping[str, str]) -> tuple[DeliveryAttempt, ...]:
    numbers = sorted(int(name.removeprefix(ATTEMPT)) for name in fields if name.startswith(ATTEMPT))
    return tuple(DeliveryAttempt(**json.loads(fields[f"{ATTEMPT}{number}"])) for number in numbers)
