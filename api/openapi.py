"""The OpenAPI 3.1 document, assembled from the route table and the pydantic models."""

from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.problems import MEDIA_TYPE, PROBLEM_TYPES, URN
from api.routes import ROUTES, Parameter, Reply, Route
from api.submission import ChainedSubmission, Submission
from pipelines.kinds import KINDS

Json = dict[str, Any]
REFERENCE = "#/components/schemas/{model}"
ALWAYS = ("internal_error", "malformed_request", "invalid_request", "uri_too_long", "headers_too_large")
WITH_KEY = ("unauthorized", "forbidden_origin", "state_unavailable", "overloaded")
SECURITY: dict[str, list[Json]] = {
    "key": [{"key": []}, {}],
    "admin": [{"key": []}, {}],
    "scraper": [{"key": []}, {}],
    "open": [],
}


@cache
def document() -> Json:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Atelier",
            "version": version("atelier"),
            "summary": "Generation jobs: submit, watch, fetch.",
            "description": "Errors are RFC 9457 problems. Times are RFC 3339 in UTC.",
        },
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "atl_…"}},
        },
    }


def _paths() -> Json:
    paths: Json = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return paths


def _operation(route: Route) -> Json:
    operation: Json = {
        "operationId": route.name.replace(".", "_"),
        "tags": [route.tag],
        "summary": route.summary,
        "responses": _responses(route),
    }
    if route.parameters:
        operation["parameters"] = [_parameter(parameter) for parameter in route.parameters]
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {m: {"schema": s} for m, s in route.body.items()},
        }
    operation["security"] = SECURITY[route.auth]
    return operation


def _parameter(parameter: Parameter) -> Json:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.meaning,
        "schema": parameter.schema,
    }


def _responses(route: Route) -> Json:
    responses = {str(reply.status): _reply(reply) for reply in route.replies}
    slugs = (*route.problems, *ALWAYS, *(WITH_KEY if route.auth in ("key", "admin") else ()))
    slugs += ("forbidden",) if route.auth == "admin" else ()
    for status in sorted({PROBLEM_TYPES[slug].status for slug in slugs}):
        kinds = [PROBLEM_TYPES[slug] for slug in slugs if PROBLEM_TYPES[slug].status == status]
        responses[str(status)] = {
            "description": "; ".join(dict.fromkeys(f"`{kind.slug}`: {kind.title}" for kind in kinds)),
            "content": {MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model="Problem")}}},
        }
    if route.name == "system.readyz":
        responses["503"] = _reply(Reply(503, "Not ready.", schema={"type": "object"}))
    return responses


def _reply(reply: Reply) -> Json:
    found: Json = {"description": reply.meaning}
    if reply.model is not None:
        found["content"] = {
            "application/json": {"schema": {"$ref": REFERENCE.format(model=reply.model.__name__)}}
        }
    elif reply.schema is not None:
        found["content"] = {reply.media_type: {"schema": reply.schema}}
    if reply.headers:
        found["headers"] = {
            name: {"description": meaning, "schema": {"type": "string"}}
            for name, meaning in reply.headers.items()
        }
    return found


def _schemas() -> Json:
    models: dict[str, type[BaseModel]] = {}
    for route in ROUTES:
        for model in (*(reply.model for reply in route.replies), *route.body_models):
            if model is not None:
                models[model.__name__] = model
    models |= {inputs.__name__: inputs for inputs in KINDS.values()}
    _, found = models_json_schema(
        [(model, "validation") for model in models.values()], ref_template=REFERENCE
    )
    schemas: Json = dict(found["$defs"])
    for submission in (Submission, ChainedSubmission):
        schemas |= _by_kind(submission.__name__, schemas[submission.__name__])
    schemas["Problem"] = _problem_schema()
    return dict(sorted(schemas.items()))


def _by_kind(name: str, general: Json) -> Json:
    """A submission's schema as one for each kind, with that kind's own inputs; `name` means any of them."""
    each: Json = {}
    for kind, inputs in KINDS.items():
        narrowed = {
            "kind": {"const": kind, "description": inputs.summary},
            "inputs": {"$ref": REFERENCE.format(model=inputs.__name__)},
        }
        title = f"{inputs.__name__}{name}"
        each[title] = {**general, "title": title, "properties": {**general["properties"], **narrowed}}
    mapping = {kind: REFERENCE.format(model=f"{inputs.__name__}{name}") for kind, inputs in KINDS.items()}
    either: Json = {
        "description": general["description"],
        "oneOf": [{"$ref": reference} for reference in mapping.values()],
        "discriminator": {"propertyName": "kind", "mapping": mapping},
    }
    return {**each, name: either}


def _problem_schema() -> Json:
    fault = {
        "type": "object",
        "required": ["pointer", "detail"],
        "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
    }
    return {
        "type": "object",
        "description": "An RFC 9457 problem.",
        "required": ["type", "title", "status", "instance"],
        "properties": {
            "type": {"type": "string", "enum": [URN + slug for slug in PROBLEM_TYPES]},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string"},
            "errors": {"type": "array", "items": fault},
        },
    }
