"""`client.webhooks`: endpoints that are told when a job is over, and your own webhook secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from atelier.records import time_of
from atelier.transport import UNSAFE, Repeat, Transport

ENDPOINTS: Final = "/v1/webhook-endpoints"
SECRET: Final = "/v1/webhook-secret"  # noqa: S105 - a path
TEST_SECONDS: Final = 60.0  # the receiver decides how long a test takes


@dataclass(frozen=True)
class Endpoint:
    """Where messages go. secret: only in the answer that made or rotated it.

    failing_since: the first failed attempt since the last delivery. disabled_because: `asked`, `gone` (it
    answered 410), `failing` (for five days), or None while it is enabled.
    """

    id: str
    url: str
    description: str
    created_at: datetime | None
    rotated_at: datetime | None
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_because: str | None
    raw: dict[str, Any] = field(repr=False)
    secret: str | None = field(repr=False, default=None)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Endpoint":
        return cls(
            id=data["id"],
            url=data["url"],
            description=data.get("description", ""),
            created_at=time_of(data.get("created_at")),
            rotated_at=time_of(data.get("rotated_at")),
            failing_since=time_of(data.get("failing_since")),
            disabled_at=time_of(data.get("disabled_at")),
            disabled_because=data.get("disabled_because"),
            raw=data,
            secret=data.get("secret"),
        )


@dataclass(frozen=True)
class DeliveryAttempt:
    """One attempt to deliver a message. status: what the receiver answered, or None; then error says why."""

    at: datetime | None
    milliseconds: int
    status: int | None
    error: str | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "DeliveryAttempt":
        return cls(
            time_of(data.get("at")), int(data.get("milliseconds", 0)), data.get("status"), data.get("error")
        )

    @property
    def delivered(self) -> bool:
        """Whether the receiver answered 2xx."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class Delivery:
    """A message about a job and what became of it. id: the `webhook-id`. webhook: an endpoint's id or a URL.

    state: `pending`, `delivered` or `failed`. next_attempt_at: while it is pending.
    """

    id: str
    type: str
    webhook: str
    state: str
    attempts: tuple[DeliveryAttempt, ...]
    created_at: datetime | None
    next_attempt_at: datetime | None
    raw: dict[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Delivery":
        return cls(
            id=data["id"],
            type=data["type"],
            webhook=data["webhook"],
            state=data["state"],
            attempts=tuple(DeliveryAttempt.from_json(each) for each in data.get("attempts") or ()),
            created_at=time_of(data.get("created_at")),
            next_attempt_at=time_of(data.get("next_attempt_at")),
            raw=data,
        )


class Webhooks:
    """The calls about endpoints and secrets. A secret is in the answer that makes it, and never again."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, url: str, description: str = "") -> Endpoint:
        """Make an endpoint; its `secret` is shown this once."""
        body = {"url": url, "description": description}
        return Endpoint.from_json(self._transport.json("POST", ENDPOINTS, UNSAFE, json=body))

    def list(self) -> list[Endpoint]:
        """Your endpoints, oldest first."""
        return [Endpoint.from_json(each) for each in self._transport.json("GET", ENDPOINTS)["data"]]

    def get(self, endpoint_id: str) -> Endpoint:
        """One endpoint, without its secret."""
        return Endpoint.from_json(self._transport.json("GET", _path(endpoint_id)))

    def delete(self, endpoint_id: str) -> None:
        """Remove it; pending messages to it fail."""
        self._transport.call("DELETE", _path(endpoint_id))

    def rotate(self, endpoint_id: str) -> Endpoint:
        """Give it a new `secret`, shown this once; the old one signs too for 24 hours."""
        return self._act(endpoint_id, "rotate")

    def enable(self, endpoint_id: str) -> Endpoint:
        """Send to it again, from the next message on."""
        return self._act(endpoint_id, "enable")

    def disable(self, endpoint_id: str) -> Endpoint:
        """Send nothing more to it; pending messages to it fail."""
        return self._act(endpoint_id, "disable")

    def test(self, endpoint_id: str) -> DeliveryAttempt:
        """Send a test message now; what came of it."""
        body = self._post(f"{_path(endpoint_id)}/test", UNSAFE, timeout=TEST_SECONDS)
        return DeliveryAttempt.from_json(body)

    def has_secret(self) -> bool:
        """Whether you have a secret of your own, which signs messages to URLs."""
        return bool(self._transport.json("GET", SECRET)["exists"])

    def rotate_secret(self) -> str:
        """Make your own secret, or a new one; the old one signs too for 24 hours."""
        return str(self._post(f"{SECRET}/rotate", UNSAFE)["secret"])

    def _act(self, endpoint_id: str, what: str) -> Endpoint:
        return Endpoint.from_json(self._post(f"{_path(endpoint_id)}/{what}", UNSAFE))

    def _post(self, path: str, repeat: Repeat, **options: Any) -> Any:
        return self._transport.json("POST", path, repeat, json={}, **options)


def _path(endpoint_id: str) -> str:
    return f"{ENDPOINTS}/{quote(endpoint_id, safe='')}"
