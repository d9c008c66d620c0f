"""Which models a worker offers: those whose files are here, but for the ones that did not load."""

import time
from pathlib import Path

import pytest

from workers import shelf as shelf_module
from workers.shelf import Shelf

ROW = """
[[model]]
name = "test/one"
family = "causal_lm"
kinds = ["text"]
weights = "one"
queue = "text"
"""


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "weights").write_text("half")
    catalog = tmp_path / "catalog.toml"
    catalog.write_text(ROW)
    return Shelf([catalog], ["text"], lambda: None)


def test_a_model_that_did_not_load_is_not_offered(shelf: Shelf) -> None:
    assert "test/one" in shelf.models()
    shelf.set_aside("test/one", "damaged")
    assert "test/one" not in shelf.models()
    assert "house/tales" in shelf.models()


def test_it_is_offered_again_once_its_files_have_changed(shelf: Shelf, tmp_path: Path) -> None:
    shelf.models()
    shelf.set_aside("test/one", "damaged")
    (tmp_path / "one" / "weights").write_text("whole now")
    assert "test/one" in shelf.models()


def test_it_is_offered_again_after_a_while(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.models()
    shelf.set_aside("test/one", "damaged")
    now = time.monotonic()
    monkeypatch.setattr(shelf_module.time, "monotonic", lambda: now + shelf_module.ASIDE_SECONDS + 1)
    assert "test/one" in shelf.models()


def test_a_model_that_left_the_catalog_meanwhile_is_nothing_to_set_aside(shelf: Shelf) -> None:
    shelf.set_aside("test/gone", "damaged")
    assert "test/gone" not in shelf.models()
