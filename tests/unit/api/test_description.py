"""The API describes itself completely: every route and error is in /openapi.json, on the page and in
docs/api.md."""

import re
from pathlib import Path

import pytest

from api.bodies import JobBody
from api.docs_page import render_page
from api.openapi import document
from api.problems import PROBLEM_TYPES
from api.routes import ROUTES, Route
from api.submission import ChainedSubmission, Submission
from infra.jobs.events import EventType

DOCS = (Path(__file__).parents[3] / "docs" / "api.md").read_text()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_described(route: Route) -> None:
    assert f"| `{route.method} {route.path}` |" in DOCS
    operation = document()["paths"][route.path][route.method.lower()]
    assert operation["summary"]
    assert operation["responses"]
    page = render_page(document())
    assert f">{route.method}</span>{route.path}</code>" in page
    assert callable(route.view())
    in_path = set(re.findall(r"{(\w+)}", route.path))
    assert in_path == {parameter.name for parameter in route.parameters if parameter.place == "path"}


def test_nothing_else_is_described() -> None:
    described = {
        (method.upper(), path) for path, operations in document()["paths"].items() for method in operations
    }
    assert described == {(route.method, route.path) for route in ROUTES}
    assert set(re.findall(r"\| `(GET|POST|DELETE) (\S+)` \|", DOCS)) == described


def test_every_error_is_published() -> None:
    published = re.findall(r"\| `(\w+)` \| (\d{3}) \| ([^|]+) \| ([^|]+) \|", DOCS)
    assert published == [
        (kind.slug, str(kind.status), kind.title, kind.meaning) for kind in PROBLEM_TYPES.values()
    ]
    for route in ROUTES:
        assert set(route.problems) <= PROBLEM_TYPES.keys()


@pytest.mark.parametrize("kind", [kind for kind in PROBLEM_TYPES.values() if kind.status in (429, 503, 507)])
def test_who_has_to_wait_is_told_how_long(kind: object) -> None:
    assert kind.retry_after  # type: ignore[attr-defined]


def test_every_field_and_event_is_explained() -> None:
    for name in (*JobBody.model_fields, *ChainedSubmission.model_fields, *EventType):
        assert re.search(rf"\b{re.escape(name)}\b", DOCS), name
    for name, field in Submission.model_fields.items():
        assert field.description, name


def test_references_lead_somewhere() -> None:
    schemas = document()["components"]["schemas"]
    for name in set(re.findall(r"#/components/schemas/(\w+)", str(document()))):
        assert name in schemas


def test_names_are_unique() -> None:
    assert len({route.name for route in ROUTES}) == len(ROUTES)
