"""What every model that comes along ships: whole weights, its records, a card that quotes its own figures."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from pipelines.catalog import Catalog
from pipelines.kinds import KINDS

ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "pipelines" / "house"
CARDS = ROOT / "docs" / "models"
MODELS = Catalog.load().models
LARGEST = 60_000_000  # bytes of all together
SMALL = 15_000_000  # bytes of one
CARD_OF = {"house/songbook-lstm": "songbook"}
"""A model whose card is another's: it is there to be compared with it."""


def card(name: str) -> str:
    """The card's words, with single spaces."""
    page = CARDS / f"{CARD_OF.get(name, name.removeprefix('house/'))}.md"
    return re.sub(r"\s+", " ", page.read_text())


def test_every_kind_has_a_model_that_comes_along() -> None:
    assert {kind for model in MODELS.values() for kind in model.default_for} == set(KINDS)


def test_all_together_are_small() -> None:
    assert sum(path.stat().st_size for path in HOUSE.rglob("*") if path.is_file()) <= LARGEST


@pytest.mark.parametrize("name", MODELS)
def test_its_weights_are_those_of_its_row(name: str) -> None:
    assert MODELS[name].sha256, "the built-in rows state the digest of their weights"
    MODELS[name].check_weights()


@pytest.mark.parametrize("kind", ["text-to-image", "text"])
def test_what_a_newcomer_tries_first_is_small(kind: str) -> None:
    folder = Catalog.load().default_for(kind).weights

    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= SMALL


@pytest.mark.parametrize("name", MODELS)
def test_it_may_be_passed_on(name: str) -> None:
    assert MODELS[name].licence == "Apache-2.0"


@pytest.mark.parametrize("name", MODELS)
def test_it_has_its_records(name: str) -> None:
    folder = HOUSE / name.removeprefix("house/")

    assert json.loads((folder / "recipe.json").read_text())
    assert all(json.loads(line) for line in (folder / "training_log.jsonl").read_text().splitlines())
    assert json.loads((folder / "evaluation.json").read_text())
    assert CARD_OF.get(name, name.removeprefix("house/")) + ".md" in (folder / "README.md").read_text()


@pytest.mark.parametrize("name", MODELS)
def test_its_card_quotes_what_was_measured(name: str) -> None:
    """The shares that stand first in its evaluation, each with its interval, stand in the card."""
    figures = json.loads((HOUSE / name.removeprefix("house/") / "evaluation.json").read_text())
    shares = [figure for figure in figures.values() if isinstance(figure, dict) and "low" in figure]

    assert shares or name == "house/upscaler"  # whose figure is decibels
    for figure in shares:
        assert f"{100 * figure['share']:.1f} %" in card(name), figure
        assert f"{100 * figure['low']:.1f} to {100 * figure['high']:.1f}" in card(name), figure


@pytest.mark.parametrize("name", MODELS)
def test_its_recipe_is_a_command(name: str) -> None:
    module = f"pipelines.training.{name.removeprefix('house/').replace('-', '.')}"
    found = importlib.util.find_spec(module)

    assert found is not None
    assert not found.submodule_search_locations or importlib.util.find_spec(f"{module}.__main__")


def test_make_trains_and_measures_all_of_them() -> None:
    (named,) = re.findall(r"^HOUSE \?= (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {f"house/{name}" for name in named.split()} == MODELS.keys()
