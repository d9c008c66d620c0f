"""From exceptions to problems: the one place that knows which error of ours is which HTTP answer."""

import json

from flask import Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from api.problems import MEDIA_TYPE, Problem
from infra import errors
from infra.logs import get_logger
from infra.media_check import Unconfined
from infra.metrics import LIMIT_REFUSALS
from infra.uploads import UploadNotFound
from infra.webhooks.endpoints import EndpointNotFound
from infra.webhooks.outbox import MessageNotFound
from pipelines.errors import RequestError

SLUGS: dict[type[Exception], str] = {
    errors.JobNotFound: "job_not_found",
    errors.JobGone: "job_gone",
    errors.IdempotencyMismatch: "idempotency_mismatch",
    errors.TooFast: "rate_limited",
    errors.TooManyAtOnce: "too_many_at_once",
    errors.OwnerLimit: "owner_limit",
    errors.SystemFull: "system_full",
    errors.StorageFull: "storage_full",
    errors.StorageUnavailable: "storage_unavailable",
    errors.BrokerUnavailable: "broker_unavailable",
    errors.StateUnavailable: "state_unavailable",
    errors.ObjectNotFound: "artifact_not_found",
    UploadNotFound: "invalid_inputs",
    Unconfined: "media_unconfined",
    EndpointNotFound: "endpoint_not_found",
    MessageNotFound: "message_not_found",
}
TELLING = (
    "idempotency_mismatch", "job_gone", "owner_limit", "rate_limited", "too_many_at_once", "system_full",
    "invalid_inputs", "media_unconfined",
)  # fmt: skip
"""Slugs whose error message is meant for the caller; the others would tell addresses of servers."""
LIMITS = ("owner_limit", "rate_limited", "too_many_at_once", "system_full")
"""Slugs of refusals that are counted: somebody asks for more than there is for them."""
HTTP_SLUGS = {
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "too_large",
    415: "unsupported_media_type",
}

log = get_logger()


def to_problem(error: Exception) -> Problem:
    """What to answer for this exception; an unexpected one is logged, and told only as such."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        return _from_werkzeug(error)
    if isinstance(error, RequestError):
        return Problem(error.type, str(error))
    slug = next((slug for kind, slug in SLUGS.items() if isinstance(error, kind)), None)
    if slug is None:
        log.exception(
            "A request failed", action="request.failed", route=str(request.url_rule), exc_info=error
        )
        return Problem("internal_error")
    if slug.endswith("_unavailable"):
        log.warning("A service does not answer", action="service.unavailable", slug=slug, error=str(error))
    if slug in LIMITS:
        LIMIT_REFUSALS.inc(reason=slug)
    wait = error.retry_after if isinstance(error, errors.TooFast) else None
    return Problem(slug, str(error) if slug in TELLING else "", retry_after=wait)


def problem_response(problem: Problem) -> Response:
    """The answer with its document and headers."""
    body = json.dumps(problem.body(request.path), ensure_ascii=False)
    return Response(body, problem.type.status, problem.headers, content_type=MEDIA_TYPE)


def _from_werkzeug(error: HTTPException) -> Problem:
    headers = {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return Problem(HTTP_SLUGS.get(error.code or 500, "malformed_request"), headers=headers)
