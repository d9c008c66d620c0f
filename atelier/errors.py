"""What can go wrong between a client and the server, grouped by what the caller can do about it.

Each problem that the server answers (RFC 9457) becomes one class; only `error_for` maps them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class AtelierError(Exception):
    """Something between this client and the server went wrong."""


class Unreachable(AtelierError):
    """No server answers at this address. Is `atelier up` running?"""


class BadAnswer(AtelierError):
    """The server at this address does not answer as Atelier does."""


class WaitTimeout(AtelierError):
    """The job did not end within the time that was allowed for waiting; it goes on."""


class BrokenDownload(AtelierError):
    """The bytes that came do not have the digest that the job's record names."""


@dataclass(frozen=True)
class InputProblem:
    """One thing that is wrong with a submission: where (a JSON pointer) and what."""

    pointer: str
    detail: str


class Refused(AtelierError):
    """The server understood who asked for what, and said no.

    status: the HTTP status. slug: the last part of `urn:atelier:error:<slug>`. retry_after: seconds, or None.
    body: the whole answer, where it was a JSON object.
    """

    def __init__(
        self,
        title: str,
        detail: str = "",
        *,
        status: int,
        slug: str = "",
        problems: Sequence[InputProblem] = (),
        retry_after: float | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(": ".join(part for part in (title, detail) if part))
        self.title = title
        self.detail = detail
        self.status = status
        self.slug = slug
        self.problems = tuple(problems)
        self.retry_after = retry_after
        self.body = body or {}


class InvalidInputs(Refused):
    """The body, kind, model or an input is wrong; `problems` says where. Sending it again changes nothing."""


class Unauthorized(Refused):
    """The key is missing, unknown or revoked, or this server wants one."""


class NotFound(Refused):
    """There is no such thing, or it belongs to somebody else."""


class Gone(Refused):
    """It existed and was deleted."""


class LimitReached(Refused):
    """This owner has as much queued, or is as fast, as it may; try again after `retry_after`."""


class StorageFull(Refused):
    """The server has no room left for artifacts: delete jobs, or raise the cap."""


class Unavailable(Refused):
    """The server, or something that it needs, is down or full; try again after `retry_after`."""


_BY_STATUS: Mapping[int, type[Refused]] = {
    400: InvalidInputs,
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    410: Gone,
    413: InvalidInputs,
    414: InvalidInputs,
    415: InvalidInputs,
    422: InvalidInputs,
    429: LimitReached,
    431: InvalidInputs,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
    507: StorageFull,
}


def error_for(status: int, problem: Mapping[str, Any], retry_after: str | None = None) -> Refused:
    """The error for an answer with this status and this JSON object (empty where the body was no such)."""
    told = problem.get("errors")
    problems = [
        InputProblem(str(each.get("pointer", "")), str(each.get("detail", "")))
        for each in (told if isinstance(told, list) else ())
        if isinstance(each, dict)  # else it is not one of ours
    ]
    return _BY_STATUS.get(status, Refused)(
        str(problem.get("title") or f"the server answered {status}"),
        str(problem.get("detail") or ""),
        status=status,
        slug=str(problem.get("type", "")).rpartition(":")[2],
        problems=problems,
        retry_after=_seconds(retry_after),
        body=problem,
    )


def _seconds(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds; a date there (which Atelier never sends) counts as not given."""
    return float(retry_after) if retry_after and retry_after.isdecimal() else None
