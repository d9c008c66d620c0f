"""The benchmarks run; their figures are for people to read, not for a test to judge."""

import json
from pathlib import Path

import pytest

from tests.bench.__main__ import NAMES, main
from tests.bench.figures import Result, Size
from tests.bench.report import draw, page

SMALL = 0.004


@pytest.mark.parametrize("name", NAMES)
def test_runs(name: str, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"

    assert main([name, "--runs", "1", "--scale", str(SMALL), "--json", str(file)]) == 0

    found = json.loads(file.read_text())[name]
    assert set(found["runs"]) == set(found["units"]), "every measure has its figure"
    assert {goal["measure"] for goal in found["goals"]} <= set(found["units"])


def test_the_report_tells_what_was_missed() -> None:
    result = Result("one", "One", "How.", {"a": "a thing, ms"}, bars=("a",))
    result.add(a=3.0)
    result.add(a=5.0)
    text = page([result], "a machine", "b.svg", "## What is not reached, and why\n\nThis.")
    assert "| a thing, ms | 4 | 3 to 5 |" in text
    assert text.endswith("This.\n")
    assert "a thing, ms" in draw([result])


def test_a_small_size_is_never_nothing() -> None:
    assert Size(scale=0.001).count(100, 3) == 3
