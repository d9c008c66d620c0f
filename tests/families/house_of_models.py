"""Saves the tiny models and lists them in a catalog file, as an operator would."""

from collections.abc import Iterable
from pathlib import Path

from pipelines.catalog import add_folder
from tests.families.cases import Case


def build(cases: Iterable[Case], folder: Path) -> Path:
    """The catalog file that lists them all as `tiny/<name>`."""
    file = folder / "models.toml"
    for case in cases:
        add_folder(case.save(folder / case.name), file, f"tiny/{case.name}")
    return file
