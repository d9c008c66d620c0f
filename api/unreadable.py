"""Requests that are no HTTP, or too long: no application sees them, and they are refused as problems, too."""

import json
from http import HTTPStatus

from gunicorn.http import errors

from api.problems import MEDIA_TYPE, Problem

LONGEST_REQUEST_LINE = 8190  # bytes; the most that gunicorn takes, and every filter at its longest fits
OURS = (errors.ConfigurationProblem, errors.InvalidResponseHeader, errors.InvalidResponseHeaderName)
SLUGS: dict[type[Exception], str] = {
    errors.LimitRequestLine: "uri_too_long",
    errors.LimitRequestHeaders: "headers_too_large",
}


def refusal(error: Exception) -> bytes | None:
    """The whole answer, as it is sent; None where the client is not to blame."""
    if not isinstance(error, errors.ParseException) or isinstance(error, OURS):
        return None
    slug = next((slug for kind, slug in SLUGS.items() if isinstance(error, kind)), "malformed_request")
    problem = Problem(slug)
    body = json.dumps(problem.body("")).encode()
    status = HTTPStatus(problem.type.status)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: {MEDIA_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
