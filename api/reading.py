"""Reading what the client sent: bodies bounded in size and in time, query parameters, and the `Prefer`
header."""

import re
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

import gevent
from flask import request
from gunicorn.http.errors import ParseException

from api import strict_json
from api.deadline import waiting_for_client
from api.problems import Problem, invalid

JSON_SECONDS = 20.0  # for a whole JSON body, however it trickles in
UPLOAD_SECONDS = 300.0
CHUNK = 65_536
SMALL_BODY = 256  # bytes, where an empty object is all that may come
LONGEST_WAIT = 60.0  # seconds, the contract's bound on `Prefer: wait`
PREFERRED_WAIT = re.compile(r"^wait\s*=\s*\"?(\d{1,6}(?:\.\d{1,3})?)\"?$", re.IGNORECASE)
IDEMPOTENCY_KEY = re.compile(r"^[\x21-\x7e]{1,255}$")


def json_body(limit: int) -> tuple[Any, bytes]:
    """The JSON document of this request, and its bytes as sent; 400, 408, 413 or 415 when it is none."""
    _refuse_encodings()
    if request.mimetype != "application/json":
        raise Problem("unsupported_media_type", "The content type must be application/json.")
    charset = request.mimetype_params.get("charset", "utf-8")
    if charset.lower() not in ("utf-8", "utf8"):
        raise Problem("unsupported_media_type", "The charset must be UTF-8.")
    body = b"".join(_chunks(limit, JSON_SECONDS))
    return strict_json.parse(body), body


def copy_body(target: BinaryIO, limit: int) -> int:
    """Copy the raw body into `target`; its length in bytes."""
    _refuse_encodings()
    size = 0
    for chunk in _chunks(limit, UPLOAD_SECONDS):
        target.write(chunk)
        size += len(chunk)
    return size


def no_inputs(*parameters: str) -> None:
    """For calls that take none: no body or an empty object, and no query parameters but these."""
    query(*parameters)
    body = b"".join(_chunks(SMALL_BODY, JSON_SECONDS))
    if body.strip() and strict_json.parse(body) != {}:
        raise invalid("", "This call takes no body; an empty JSON object is fine.")


def _refuse_encodings() -> None:
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Problem("unsupported_media_type", "Bodies must be sent without Content-Encoding.")


def _chunks(limit: int, seconds: float) -> Iterator[bytes]:
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    # Not `request.stream`: werkzeug gives a chunked body as empty unless the server vouches for its end.
    stream: BinaryIO = request.environ["wsgi.input"]
    left = None if _is_chunked() else request.content_length or 0
    size, ends = 0, time.monotonic() + seconds
    while left is None or size < left:
        chunk = _read(stream, min(CHUNK, limit + 1 - size, CHUNK if left is None else left - size), ends)
        if not chunk:
            break
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        yield chunk
    if left and size < left:
        raise Problem("malformed_request", "The body is shorter than its Content-Length.")


def _is_chunked() -> bool:
    return "chunked" in request.headers.get("Transfer-Encoding", "").lower()


def _read(stream: BinaryIO, size: int, ends: float) -> bytes:
    """Some bytes, before the clock says `ends`, however slowly they trickle in."""
    timer = gevent.Timeout.start_new(max(0.0, ends - time.monotonic()), _Late)
    try:
        with waiting_for_client():
            return stream.read(size)
    except TimeoutError:
        raise _Late from None
    except (OSError, ParseException) as error:
        raise Problem("malformed_request", f"The body could not be read ({type(error).__name__}).") from None
    finally:
        timer.close()


class _Late(Problem):
    """Made only when it is."""

    def __init__(self) -> None:
        super().__init__("request_timeout", "The body did not arrive in time.")


def _too_large(limit: int) -> Problem:
    return Problem("too_large", f"The body may have {limit:,} bytes at most.")


def preferred_wait() -> float | None:
    """Seconds of `Prefer: wait=N`, at most 60; None when the client did not ask to wait."""
    for preference in ",".join(request.headers.getlist("Prefer")).split(","):
        if match := PREFERRED_WAIT.match(preference.split(";")[0].strip()):
            return min(float(match[1]), LONGEST_WAIT)
    return None


def idempotency_key() -> str | None:
    """The `Idempotency-Key` header; 422 unless it is 1 to 255 visible ASCII characters."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise invalid("/headers/Idempotency-Key", "An idempotency key is 1 to 255 visible ASCII characters.")
    return key


def query(*allowed: str) -> dict[str, str]:
    """The query parameters; 422 for one that this call does not know, or that is given twice."""
    for name, values in request.args.lists():
        if name not in allowed:
            known = f"; it takes {', '.join(allowed)}" if allowed else ""
            raise invalid(f"/query/{strict_json.escape(name)}", f"This call has no such parameter{known}.")
        if len(values) > 1:
            raise invalid(f"/query/{name}", "This parameter is given more than once.")
    return request.args.to_dict()
