"""Endpoints: the addresses where an owner wants to be told, each with a secret; and the owner's own secret,
for jobs that name a URL.

Secrets sign, so they must be kept as they are. They are shown once and kept out of every repr and log.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self, cast

import redis

from infra.connections import Durability, translate
from infra.errors import InfraError, OwnerLimit
from infra.jobs.answers import Limits
from infra.jobs.codec import pairs
from infra.jobs.scripts import PREFIX, Scripts
from infra.webhooks.signing import new_secret

MOST_PER_OWNER = 50
OVERLAP_MS = 24 * 3600 * 1000  # a rotated secret goes on signing for a day


class EndpointNotFound(InfraError):
    """There is no such webhook endpoint, or it belongs to somebody else."""  # 404


class NoTarget(InfraError):
    """Nothing can be sent to this webhook."""  # the message fails at once


class EndpointDisabled(NoTarget):
    """This webhook endpoint is disabled; enable it first."""


class EndpointGone(NoTarget):
    """There is no such webhook endpoint; it may have been deleted."""


class NoSecret(NoTarget):
    """Webhooks by URL are signed with your own webhook secret, and you have none yet: make one with
    `atelier webhooks secret --rotate` (`POST /v1/webhook-secret/rotate`)."""


class DisabledBecause(StrEnum):
    """Why an endpoint is disabled."""

    ASKED = "asked"
    """Its owner wanted it."""
    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """Every message to it has failed for five days."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint, without its secret. Times are epoch ms."""

    id: str
    owner: str
    url: str
    description: str
    created_at: int
    rotated_at: int | None
    """When it last got a new secret."""
    failing_since: int | None
    """The first failed attempt since the last delivery."""
    disabled_at: int | None
    disabled_because: DisabledBecause | None

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> Self:
        because = fields.get("disabled_because")
        return cls(
            id=fields["id"],
            owner=fields["owner"],
            url=fields["url"],
            description=fields["description"],
            created_at=int(fields["created_at"]),
            rotated_at=_number(fields.get("rotated_at")),
            failing_since=_number(fields.get("failing_since")),
            disabled_at=_number(fields.get("disabled_at")),
            disabled_because=DisabledBecause(because) if because else None,
        )


@dataclass(frozen=True, slots=True)
class Target:
    """Where a message goes, and what signs it."""

    url: str
    secrets: tuple[str, ...] = field(repr=False)
    """The newest first, then those that were rotated away less than a day ago."""


class Endpoints:
    """The webhook endpoints of a deployment; `state` is a client that decodes."""

    def __init__(self, state: redis.Redis, durability: Durability = "always") -> None:
        self._state = state
        self._scripts = Scripts(state, Limits(), durability)

    def create(self, owner: str, url: str, description: str = "") -> tuple[Endpoint, str]:
        """A new endpoint, and its secret, which cannot be had again. OwnerLimit past 50."""
        endpoint_id, secret = f"we_{secrets.token_hex(12)}", new_secret()
        word, found, _ = self._scripts.run_durably(
            "hook_create",
            id=endpoint_id,
            owner=owner,
            url=url,
            description=description,
            secret=secret,
            most=MOST_PER_OWNER,
        )
        if word == "owner_limit":
            raise OwnerLimit(f"You have {MOST_PER_OWNER} webhook endpoints; delete one first.")
        return Endpoint.read(pairs(found)), secret

    @translate()
    def list(self, owner: str) -> list[Endpoint]:
        """The owner's endpoints, oldest first."""
        ids = cast(list[str], self._state.zrange(f"{PREFIX}hooks:{owner}", 0, -1))
        pipe = self._state.pipeline(transaction=False)
        for endpoint_id in ids:
            pipe.hgetall(f"{PREFIX}hook:{endpoint_id}")
        return [Endpoint.read(fields) for fields in pipe.execute() if fields]

    @translate()
    def get(self, endpoint_id: str, owner: str) -> Endpoint:
        """EndpointNotFound when there is none, or it is somebody else's."""
        fields = cast(dict[str, str], self._state.hgetall(f"{PREFIX}hook:{endpoint_id}"))
        if not fields or fields["owner"] != owner:
            raise EndpointNotFound
        return Endpoint.read(fields)

    def rotate(self, endpoint_id: str, owner: str) -> tuple[Endpoint, str]:
        """A new secret, shown once; the old one signs too for a day."""
        secret = new_secret()
        found = self._change("hook_rotate", endpoint_id, owner, secret=secret, overlap_ms=OVERLAP_MS)
        return Endpoint.read(found), secret

    def enable(self, endpoint_id: str, owner: str) -> Endpoint:
        """Send to it again, from the next message on."""
        return Endpoint.read(self._change("hook_switch", endpoint_id, owner, enabled=True))

    def disable(self, endpoint_id: str, owner: str) -> Endpoint:
        """Send nothing more to it; its pending messages fail when their turn comes."""
        return Endpoint.read(self._change("hook_switch", endpoint_id, owner, enabled=False))

    def delete(self, endpoint_id: str, owner: str) -> None:
        """Forget it and its secret."""
        self._change("hook_delete", endpoint_id, owner)

    def rotate_own(self, owner: str) -> str:
        """A new secret of the owner's own, for webhooks by URL; the old one signs too for a day."""
        secret = new_secret()
        self._scripts.run_durably("hook_rotate", owner=owner, secret=secret, overlap_ms=OVERLAP_MS)
        return secret

    @translate()
    def own_rotated_at(self, owner: str) -> int | None:
        """When the owner's own secret was made; None while there is none."""
        return _number(cast(str | None, self._state.hget(f"{PREFIX}hook-secret:{owner}", "rotated_at")))

    def target(self, webhook: str, owner: str, *, disabled_too: bool = False) -> Target:
        """Where messages to this endpoint or URL go. NoTarget: nowhere, and why."""
        word, found, _ = self._scripts.run(
            "hook_target", webhook=webhook, owner=owner, disabled_too=disabled_too or None
        )
        if word == "ok":
            return Target(found[0], tuple(found[1:]))
        raise {"missing": EndpointGone, "disabled": EndpointDisabled, "no_secret": NoSecret}[word]

    def _change(self, script: str, endpoint_id: str, owner: str, **arguments: Any) -> dict[str, str]:
        word, found, _ = self._scripts.run_durably(script, id=endpoint_id, owner=owner, **arguments)
        if word == "missing":
            raise EndpointNotFound
        return pairs(found)


def _number(text: str | None) -> int | None:
    return int(text) if text else None
