"""The outbox: messages that wait to be sent, and what became of those that were."""

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import cast

import redis

from infra.connections import CONFIRMED, Durability, translate
from infra.errors import InfraError
from infra.jobs import survey
from infra.jobs.answers import Limits
from infra.jobs.codec import dump, pairs
from infra.jobs.scripts import PREFIX, Scripts
from infra.logs import get_logger
from infra.webhooks.endpoints import DisabledBecause
from infra.webhooks.messages import Delivery, DeliveryAttempt, DeliveryState, Message

log = get_logger()

FLIGHT_SECONDS = 60.0
"""A dispatcher that took a message and says nothing for so long is taken for dead (FLIGHT_MS in Lua)."""

FAILING_MS = 5 * 86400 * 1000  # an endpoint that has taken nothing for so long is disabled


class MessageNotFound(InfraError):
    """There is no such message."""  # 404


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt."""

    state: DeliveryState
    attempt: DeliveryAttempt
    pause_seconds: float = 0.0
    """While it is pending: until the next attempt."""
    gone: bool = False
    """The receiver wants no more messages, ever: its endpoint is disabled."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits to be sent."""

    pending: int
    """Messages that are neither delivered nor given up."""
    oldest_due_seconds: float
    """How long the oldest due message has waited for its turn."""


class Outbox:
    """The messages of all owners. Safe to share between threads; any number of processes may take from it."""

    def __init__(self, state: redis.Redis, durability: Durability = "always") -> None:
        self._state = state
        self._scripts = Scripts(state, Limits(), durability)
        self._confirms = durability in CONFIRMED

    def take(self, most: int) -> list[Message]:
        """At most so many due messages, for the caller to send and `settle` within FLIGHT_SECONDS."""
        token = secrets.token_hex(8)
        found = self._take(token, most)
        if found and self._confirms:
            # A job's end must be on disk before anybody is told, so ask again, durably, for the same ones.
            _, found, _ = self._scripts.run_durably("outbox_take", token=token, most=most)
        return list(_readable(found))

    def _take(self, token: str, most: int) -> list[list[str]]:
        """Goes on while a call finds none to send among more that are due than it can look at."""
        while True:
            word, found, _ = self._scripts.run("outbox_take", token=token, most=most)
            if found or word == "ok":
                return cast(list[list[str]], found)

    def settle(self, message: Message, outcome: Outcome) -> DisabledBecause | None:
        """Note an attempt; why its endpoint was disabled by that, if it was. Does nothing when another
        dispatcher has the message by now."""
        attempt = {name: value for name, value in asdict(outcome.attempt).items() if value is not None}
        _, disabled, _ = self._scripts.run(
            "outbox_settle",
            id=message.id,
            token=message.lease,
            state=outcome.state,
            attempt=dump(attempt),
            delay_ms=round(outcome.pause_seconds * 1000),
            gone=outcome.gone or None,
            patience_ms=FAILING_MS,
        )
        return DisabledBecause(disabled) if disabled else None

    @translate()
    def deliveries(self, job_id: str, owner: str) -> list[Delivery]:
        """The messages about a job of this owner: one once it has ended and had a webhook."""
        fields = cast(dict[str, str], self._state.hgetall(f"{PREFIX}outbox:{message_id(job_id)}"))
        return [Delivery.read(fields)] if fields and fields["owner"] == owner else []

    def redeliver(self, message: str, owner: str) -> Delivery:
        """Send it again now, whatever became of it. MessageNotFound also for somebody else's."""
        word, found, _ = self._scripts.run_durably("outbox_redeliver", id=message, owner=owner)
        if word == "missing":
            raise MessageNotFound
        return Delivery.read(pairs(found))

    @translate()
    def backlog(self) -> Backlog:
        """For the metrics."""
        now = survey.server_time(self._state)
        pipe = self._state.pipeline(transaction=False)
        for key in (f"{PREFIX}outbox", f"{PREFIX}outbox:due"):
            pipe.zcard(key)
            pipe.zrange(key, 0, 0, withscores=True)
        later, first_later, due, first_due = pipe.execute()
        oldest = min((score for _, score in [*first_later, *first_due]), default=now)
        return Backlog(later + due, max(0, now - oldest) / 1000)


def message_id(job_id: str) -> str:
    """Of the message about a job's end: a job ends once, so there is one."""
    return job_id.replace("job_", "msg_", 1)


def _readable(found: Iterable[list[str]]) -> Iterator[Message]:
    """The messages, but for what this code cannot read: it must not keep the others from being sent."""
    for flat in found:
        fields = pairs(flat)
        try:
            yield Message.read(fields)
        except (KeyError, ValueError) as error:
            log.error(
                "A message cannot be read",
                action="webhook.unreadable",
                message_id=fields.get("id"),
                error=repr(error),
            )
