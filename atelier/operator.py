"""`client.operator`: what an operator's key may do beyond its owner's own jobs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from atelier.records import JobError, time_of
from atelier.transport import Transport

ADMIN: Final = "/v1/admin"


@dataclass(frozen=True)
class Pause:
    """One pause. what: `queue`, `model` or `worker`. by: the owner of the key that asked for it."""

    what: str
    name: str
    since: datetime | None
    by: str
    reason: str
    raw: dict[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Pause":
        return cls(
            what=data["what"],
            name=data["name"],
            since=time_of(data.get("since")),
            by=data.get("by", ""),
            reason=data.get("reason", ""),
            raw=data,
        )


@dataclass(frozen=True)
class OwnedJob:
    """A job as operators see it: whose it is and how it fares, not what it is about.

    front: it was raised to the front of its queue. worker: that of the last attempt.
    """

    id: str
    owner: str
    kind: str
    model: str
    queue: str
    status: str
    front: bool
    worker: str | None
    error: JobError | None
    created_at: datetime | None
    raw: dict[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "OwnedJob":
        return cls(
            id=data["id"],
            owner=data["owner"],
            kind=data["kind"],
            model=data["model"],
            queue=data["queue"],
            status=data["status"],
            front=bool(data.get("front")),
            worker=data.get("worker"),
            error=JobError.from_json(data["error"]) if data.get("error") else None,
            created_at=time_of(data.get("created_at")),
            raw=data,
        )


@dataclass(frozen=True)
class Owner:
    """What holds for an owner, and what it uses now.

    weight: share of the device time. max_running and rate (jobs submitted a second): 0 is no limit. burst:
    jobs submitted at once before the rate counts. own: which of these are the owner's own, not everybody's.
    """

    name: str
    weight: float
    max_queued: int
    max_running: int
    rate: float
    burst: int
    own: tuple[str, ...]
    queued: int
    running: int
    raw: dict[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Owner":
        same = ("weight", "max_queued", "max_running", "rate", "burst", "queued", "running")
        return cls(
            name=data["owner"], own=tuple(data["own"]), raw=data, **{name: data[name] for name in same}
        )


class Operator:
    """Needs a key with the scope `admin`; others get Unauthorized."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def pause(
        self,
        *,
        queue: str | None = None,
        model: str | None = None,
        worker: str | None = None,
        reason: str | None = None,
    ) -> Pause:
        """Have nothing started from a queue, of a model or by a worker; name exactly one."""
        wishes = {"queue": queue, "model": model, "worker": worker, "reason": reason}
        return Pause.from_json(self._transport.json("POST", f"{ADMIN}/pause", json=given(wishes)))

    def resume(
        self, *, queue: str | None = None, model: str | None = None, worker: str | None = None
    ) -> bool:
        """Take a pause back; False when there was none."""
        target = given({"queue": queue, "model": model, "worker": worker})
        return bool(self._transport.json("POST", f"{ADMIN}/resume", json=target)["resumed"])

    def pauses(self) -> list[Pause]:
        """All that is paused."""
        return [Pause.from_json(each) for each in self._transport.json("GET", f"{ADMIN}/pauses")["data"]]

    def owners(self) -> list[Owner]:
        """Those that have a weight or limits of their own."""
        return [Owner.from_json(each) for each in self._transport.json("GET", f"{ADMIN}/owners")["data"]]

    def owner(self, name: str) -> Owner:
        """What holds for this owner."""
        return Owner.from_json(self._transport.json("GET", _owner_path(name)))

    def change_owner(self, name: str, **changes: float | None) -> Owner:
        """Change `weight`, `max_queued`, `max_running`, `rate` or `burst`; None: as everybody's again."""
        return Owner.from_json(self._transport.json("POST", _owner_path(name), json=changes))

    def front(self, job_id: str) -> OwnedJob:
        """Raise a queued job to the front of its queue, whoever owns it; another stays as it is."""
        path = f"{ADMIN}/jobs/{quote(job_id, safe='')}/front"
        return OwnedJob.from_json(self._transport.json("POST", path, json={}))

    def jobs(self, **filters: str | None) -> Iterator[OwnedJob]:
        """Jobs of all owners, newest first, by `owner`, `queue`, `status`, `kind`, `model`."""
        params = given(filters) | {"limit": "100"}
        while True:
            page = self._transport.json("GET", f"{ADMIN}/jobs", params=params)
            yield from (OwnedJob.from_json(each) for each in page["data"])
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]

    def cancel(self, **filters: str | None) -> int:
        """Cancel all jobs that match the filters of `jobs` and are not final; how many these were."""
        return sweep(self._transport, f"{ADMIN}/jobs/cancel", filters)

    def retry(self, **filters: str | None) -> int:
        """Retry all failed and cancelled jobs that match and were not retried yet; how many these were."""
        return sweep(self._transport, f"{ADMIN}/jobs/retry", filters)


def _owner_path(name: str) -> str:
    return f"{ADMIN}/owners/{quote(name, safe='')}"


def sweep(transport: Transport, path: str, filters: Mapping[str, str | None]) -> int:
    """Say a call about many jobs until all have been looked at; how many it changed.

    It may be sent again after a lost answer: what is done is not done twice. The count may then be too small.
    """
    params, count = given(filters), 0
    while True:
        swept = transport.json("POST", path, json={}, params=params)
        count += int(swept["count"])
        if swept["next_cursor"] is None:
            return count
        params["cursor"] = swept["next_cursor"]


def given(wishes: Mapping[str, str | None]) -> dict[str, str]:
    """Those that are not None."""
    return {name: value for name, value in wishes.items() if value is not None}
