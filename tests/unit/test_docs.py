"""What the code offers is in the docs, and what the docs point to is there."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from api.problems import PROBLEM_TYPES
from api.routes import ROUTES, Route
from atelier.cli import app
from infra import metrics, settings
from infra.jobs.events import EventType
from infra.jobs.record import Artifact, Attempt, Job, JobError, Outcome, Priority, Status
from pipelines.catalog import Catalog
from pipelines.kinds import KINDS
from pipelines.safety import CATEGORIES, Action

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TARGET = re.compile(r"^([a-z-]+):.*## ", re.MULTILINE)


def page(name: str) -> str:
    return (DOCS / name).read_text()


def anchor(heading: str) -> str:
    """The anchor that a heading gets where the pages are read."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", settings.Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{settings.variable(name)}`" in page("settings.md")


@pytest.mark.parametrize("metric", metrics.METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_documented(metric: metrics.Metric) -> None:
    assert f"`{metric.full_name}`" in page("metrics.md")


@pytest.mark.parametrize("word", [*Status, *Outcome, *Priority, *EventType])
def test_every_state_outcome_priority_and_event_is_documented(word: str) -> None:
    assert f"`{word}`" in page("jobs.md")


@pytest.mark.parametrize("record", [Job, Attempt, Artifact, JobError], ids=lambda record: record.__name__)
def test_every_field_of_a_record_is_documented(record: type) -> None:
    missing = [field.name for field in fields(record) if f"`{field.name}`" not in page("jobs.md")]
    assert missing == []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_endpoint_is_documented(route: Route) -> None:
    assert f"{route.method} {route.path}" in page("api.md")


@pytest.mark.parametrize("slug", PROBLEM_TYPES)
def test_every_problem_is_documented(slug: str) -> None:
    assert f"`{slug}`" in page("api.md")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_documented(kind: str) -> None:
    assert f"`{kind}`" in page("kinds.md")


@pytest.mark.parametrize("word", [*CATEGORIES, *Action])
def test_every_category_and_action_of_safety_is_documented(word: str) -> None:
    assert f"`{word}`" in page("safety.md")


@pytest.mark.parametrize("name", Catalog.load().models)
def test_every_model_that_comes_along_is_documented(name: str) -> None:
    assert f"`{name}`" in page("models/index.md")


@pytest.mark.parametrize("source", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_links_lead_somewhere(source: Path) -> None:
    for link in LINK.findall(source.read_text()):
        name, _, wanted = link.partition("#")
        target = (source.parent / name).resolve() if name else source
        assert target.exists(), f"{link} in {source.name}"
        if wanted:
            assert wanted in {anchor(heading) for heading in HEADING.findall(target.read_text())}, link


def test_the_index_leads_to_every_page() -> None:
    linked = {link.partition("#")[0] for link in LINK.findall(page("index.md"))}
    linked |= {f"models/{link.partition('#')[0]}" for link in LINK.findall(page("models/index.md"))}
    assert {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} - linked == {"index.md"}


@pytest.mark.parametrize("source", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_make_targets_in_the_docs_exist(source: Path) -> None:
    offered = set(TARGET.findall((ROOT / "Makefile").read_text()))
    named = re.findall(r"(?:^|`)make (?:[A-Z_]+=\S+ )*([a-z-]+)", source.read_text(), re.MULTILINE)
    assert set(named) <= offered


@pytest.mark.parametrize("source", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_variables_in_the_docs_are_settings(source: Path) -> None:
    named = set(re.findall(r"\bATELIER_[A-Z][A-Z_]*[A-Z]\b", source.read_text()))
    assert named <= {settings.variable(name) for name in settings.Settings.model_fields}


def test_make_lists_every_target_with_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile.replace("\\\n", ""), re.MULTILINE)
    assert set(phony.split()) == set(TARGET.findall(makefile))
    assert {"demo", "test", "check", "up", "bench"} <= set(phony.split())


@pytest.mark.parametrize("source", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_commands_in_the_docs_exist(source: Path) -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    blocks = re.findall(r"```\w*\n(.*?)```", source.read_text(), re.DOTALL)
    named = re.findall(r"^(?:\.venv/bin/)?atelier ([a-z]+)", "\n".join(blocks), re.MULTILINE)
    assert set(named) <= set(group.commands)
