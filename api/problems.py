"""Every error that the API answers with: one published list, and the exception that carries one of them.

Answers are RFC 9457 problems. `type` is `urn:atelier:error:<slug>`; programs branch on the slug and people
read `title` and `detail`. docs/api.md shows the same list, and a test compares the two.
"""

# ruff: noqa: E501 - a row of the table is a line of the file

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MEDIA_TYPE = "application/problem+json"
URN = "urn:atelier:error:"


@dataclass(frozen=True)
class ProblemType:
    """One kind of error: its HTTP status, and what it means and how to go on."""

    slug: str
    status: int
    title: str
    meaning: str
    retry_after: int | None = None  # seconds; sent as Retry-After unless the error knows better

    @property
    def urn(self) -> str:
        return URN + self.slug


PROBLEM_TYPES: Mapping[str, ProblemType] = {
    kind.slug: kind
    for kind in (
        ProblemType("malformed_json", 400, "The body is not strict JSON", "Syntax, a duplicate name, NaN, a number too large, text that is not Unicode, a NUL, or nesting too deep; `detail` says which."),
        ProblemType("malformed_request", 400, "The request cannot be read", "A header or the request line is not valid HTTP for this call."),
        ProblemType("unauthorized", 401, "An API key is needed", "Send `Authorization: Bearer atl_…` with a key that exists and is not revoked."),
        ProblemType("forbidden_origin", 403, "This server answers only local programs", "Without keys the API serves this machine alone: the `Host` must be a loopback name and an `Origin` must be the API's own."),
        ProblemType("forbidden", 403, "This caller may not do this", "An operator's call needs a key with the admin scope (`atelier keys create --scope admin`); `/metrics` is open to loopback, and to the scraper key where one is set."),
        ProblemType("not_found", 404, "There is nothing at this path", "Look at `/docs` for the calls."),
        ProblemType("job_not_found", 404, "There is no such job", "It never existed, has expired, was deleted, or is somebody else's."),
        ProblemType("artifact_not_found", 404, "The job has no such artifact", "Names are in the job's `artifacts`, once it has succeeded."),
        ProblemType("nothing_to_pause", 404, "There is no such queue, model or worker", "`/v1/queues`, `/v1/models` and `/v1/workers` show their names."),
        ProblemType("endpoint_not_found", 404, "There is no such webhook endpoint", "It never existed, was deleted, or is somebody else's."),
        ProblemType("message_not_found", 404, "There is no such webhook message", "The job's `deliveries` lists its messages."),
        ProblemType("method_not_allowed", 405, "This path does not take this method", "`Allow` lists those that it takes."),
        ProblemType("request_timeout", 408, "The body came too slowly", "Send it again over a better connection."),
        ProblemType("job_gone", 410, "The job was deleted", "The `Idempotency-Key` belongs to a job that was deleted; use a new key."),
        ProblemType("too_large", 413, "The body is too large", "`detail` names the limit."),
        ProblemType("uri_too_long", 414, "The request line is too long", "A path with its query has 8,190 bytes at most."),
        ProblemType("unsupported_media_type", 415, "The body's format is not accepted", "Jobs are `application/json` in UTF-8 without `Content-Encoding`; uploads are the raw bytes of an image, a sound or a video in one of the formats that `detail` lists."),
        ProblemType("range_not_satisfiable", 416, "The range lies outside the artifact", "`Content-Range` tells its size."),
        ProblemType("invalid_request", 422, "The request has fields or values that are not valid", "`errors` points at each."),
        ProblemType("unknown_kind", 422, "There is no such kind", "`/v1/kinds` lists them."),
        ProblemType("unknown_model", 422, "No model of this name does this kind", "`/v1/models` lists them."),
        ProblemType("invalid_inputs", 422, "Some inputs are not valid", "`errors` points at each; `/v1/kinds` has the ranges and `/v1/models` each model's limits."),
        ProblemType("prompt_blocked", 422, "The prompt asks for something that is blocked here", "`errors` points at the field and names the category; docs/safety.md tells the categories and what is set."),
        ProblemType("bad_media", 422, "The uploaded file cannot be used", "It is damaged, an animated image, or larger or longer than may be decoded; `detail` says which."),
        ProblemType("idempotency_mismatch", 422, "The key was used with another request", "The same `Idempotency-Key` goes with the same body; use a new key for a new request."),
        ProblemType("too_many_at_once", 422, "The list has more jobs than you may submit at once", "`detail` says how many you may; send shorter lists."),
        ProblemType("rate_limited", 429, "You submit faster than you may", "The same request is accepted after `Retry-After` seconds.", 1),
        ProblemType("owner_limit", 429, "You have reached a limit of yours", "`detail` says which; wait for your jobs to finish or your uploads to expire.", 10),
        ProblemType("headers_too_large", 431, "The headers are too large", "100 headers at most, each with 8,190 bytes at most."),
        ProblemType("internal_error", 500, "Something went wrong in the server", "It was logged under the `X-Request-Id` of this answer."),
        ProblemType("state_unavailable", 503, "The job store does not answer", "Nothing was changed, or the same request may be sent again with the same `Idempotency-Key`.", 2),
        ProblemType("broker_unavailable", 503, "The broker does not answer", "Try again.", 2),
        ProblemType("storage_unavailable", 503, "The object storage does not answer", "Try again.", 2),
        ProblemType("system_full", 503, "The system has as many jobs as it takes", "Try again later.", 30),
        ProblemType("overloaded", 503, "The server could not answer in time", "Too much is asked of it at once, or a service behind it is slow. Try again.", 2),
        ProblemType("too_many_watchers", 503, "Too many streams and long polls are open", "Poll without waiting, or try again.", 5),
        ProblemType("too_many_uploads", 503, "Too many uploads are being checked at once", "Try again.", 2),
        ProblemType("media_unconfined", 503, "This server cannot check files safely", "Its machine cannot confine the decoder. Its operator may set `ATELIER_MEDIA_CONFINEMENT=best_effort`.", 300),
        ProblemType("storage_full", 507, "There is no room for more artifacts", "Delete jobs, shorten their life, or raise `ATELIER_HOME_MAX_BYTES`.", 60),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One bad value. `pointer` is an RFC 6901 pointer into the body; those of a query parameter or a
    header begin with `/query/` or `/headers/`."""

    pointer: str
    detail: str


class Problem(Exception):
    """The request ends here with this error."""

    def __init__(
        self,
        slug: str,
        detail: str = "",
        *,
        faults: Sequence[Fault] = (),
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.type = PROBLEM_TYPES[slug]
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        if retry_after is None:
            retry_after = self.type.retry_after
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)
        super().__init__(detail or self.type.title)

    def body(self, instance: str) -> dict[str, Any]:
        """The problem document; `instance` is the path that was asked for."""
        body: dict[str, Any] = {"type": self.type.urn, "title": self.type.title, "status": self.type.status}
        if self.detail:
            body["detail"] = self.detail
        body["instance"] = instance
        if self.faults:
            body["errors"] = [{"pointer": fault.pointer, "detail": fault.detail} for fault in self.faults]
        return body


def invalid(pointer: str, detail: str, *, slug: str = "invalid_request") -> Problem:
    """A problem with a single bad value."""
    return Problem(slug, detail, faults=[Fault(pointer, detail)])
