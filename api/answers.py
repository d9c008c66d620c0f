"""Making responses."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, request

_to_json = json.JSONEncoder(ensure_ascii=False).encode


def json_answer(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None, *, version: int | None = None
) -> Response:
    """A JSON response; `version` becomes its ETag."""
    response = Response(_to_json(body), status, headers, content_type="application/json")
    if version is not None:
        response.set_etag(str(version))
    return response


def not_modified(version: int) -> Response | None:
    """304 when the client has this version already."""
    if request.if_none_match.contains_weak(str(version)):
        response = Response(status=304)
        response.set_etag(str(version))
        return response
    return None


def empty() -> Response:
    """204."""
    return Response(status=204)
