"""One log line and two metrics for each request, under the route's pattern: paths and queries hold ids."""

import re
import secrets
import time

from flask import Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from infra.logs import get_logger
from infra.metrics import API_REQUESTS, API_SECONDS

REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")
QUIET = ("/livez", "/readyz", "/metrics")  # asked every few seconds by machines

log = get_logger()


def begin() -> None:
    """Note the time and the request's id: the client's own, if it sent a plain one."""
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if REQUEST_ID.match(given) else f"req_{secrets.token_hex(8)}"
    g.begun = time.perf_counter()
    clear_contextvars()
    bind_contextvars(request_id=g.request_id)


def finish(response: Response) -> Response:
    """Count and log the answer; of a stream, its beginning."""
    route = str(request.url_rule) if request.url_rule else "(unknown)"
    seconds = time.perf_counter() - g.begun
    method = request.method if request.method in ("GET", "HEAD", "POST", "DELETE") else "other"
    API_REQUESTS.inc(method=method, route=route, status=str(response.status_code))
    API_SECONDS.observe(seconds, method=method, route=route)
    tell = log.debug if route in QUIET else log.info
    tell(
        "A request was answered",
        action="request.answered",
        method=method,
        route=route,
        status=response.status_code,
        seconds=round(seconds, 4),
        owner=g.get("owner"),
    )
    return response
