"""The models of this home: its catalog, and what `atelier models` changes there. Talks to no server."""

import os
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.settings import Settings
from pipelines.catalog import Catalog, add_folder
from pipelines.errors import FolderRefused, UnknownModel
from pipelines.models import Model
from pipelines.pull import OnProgress, pull
from pipelines.rows import append_rows, drop_keys, overlay_row, remove_row
from pipelines.verify import verify

PULLED_KEYS = {"weights", "revision", "sha256", "memory_bytes"}
"""What pulling a model writes into its row."""


@dataclass(frozen=True)
class HomeModels:
    """The catalog of one home, and the folder of what has been pulled."""

    settings: Settings

    def catalog(self) -> Catalog:
        """All rows, as the API and the workers of this home read them."""
        return Catalog.load(self.settings.catalog_files)

    def find(self, name: str) -> Model:
        """The row of a model, offered or not; raises UnknownModel."""
        return _any(self.catalog(), name)

    def pull(self, name: str, progress: OnProgress) -> Model:
        """Fetch a model's weights and say in its row where they are; raises what `pipelines.pull` raises."""
        places = self.settings.places
        own = [file for file in self.settings.catalog_files if file != places.pulled]
        wanted = _any(Catalog.load(own), name)  # its revision as the operator wants it, not as pulled before
        known = self.find(name).model_copy(
            update={
                "revision": wanted.revision,
                "memory_bytes": wanted.memory_bytes,
                "sha256": wanted.sha256,
            }
        )
        pulled = pull(known, places.weights, progress)
        overlay_row(
            places.pulled,
            name,
            {
                "weights": os.path.relpath(pulled.weights, places.weights),
                "revision": pulled.revision,
                "sha256": pulled.sha256,
                "memory_bytes": pulled.memory_bytes,
            },
        )
        for other in pulled.weights.parent.iterdir():
            if other != pulled.weights:
                shutil.rmtree(other)
        return self.find(name)

    def accept(self, name: str) -> Model:
        """Note that the operator accepts a model's licence."""
        self.find(name)
        overlay_row(self.settings.places.pulled, name, {"licence_accepted": True})
        return self.find(name)

    def add(self, what: Path, name: str | None) -> list[Model]:
        """Add a folder of weights, or the rows of a TOML file; raises FolderRefused."""
        into = self.settings.places.models
        into.parent.mkdir(parents=True, exist_ok=True)
        if what.is_file():
            return _add_file(what, into)
        return [add_folder(what, into, name)]

    def verify(self, name: str, on_file: Callable[[str], None]) -> list[str]:
        """What is wrong with a model's weights, in words."""
        return verify(self.find(name), on_file)

    def remove(self, name: str) -> Path | None:
        """Take a model away: what was pulled, with its files, else the operator's row.

        Gives the folder that was deleted; None where the weights are the operator's own and stay.
        Raises UnknownModel, FolderRefused.
        """
        places = self.settings.places
        folder = places.weights.joinpath(*name.split("/"))
        try:
            self.find(name)
        except UnknownModel:
            if remove_row(places.models, name):  # it says `enabled = false`
                return None
            raise
        if drop_keys(places.pulled, name, PULLED_KEYS):
            shutil.rmtree(folder, ignore_errors=not folder.exists())
            shutil.rmtree(places.weights / ".pulling" / name.replace("/", "--"), ignore_errors=True)
            return folder
        if not remove_row(places.models, name):
            raise FolderRefused(f"{name} is not of this home; `enabled = false` in {places.models} hides it")
        return None


def _any(catalog: Catalog, name: str) -> Model:
    if name not in catalog.rows:
        raise UnknownModel(
            f"there is no model {name!r}; `atelier models list --all` shows those that are known"
        )
    return catalog.rows[name]


def _add_file(file: Path, into: Path) -> list[Model]:
    """The rows of a TOML file, checked, and then written into the home's catalog with absolute paths."""
    catalog = Catalog.load([file])
    if problems := [problem for problem in catalog.problems if problem.file == file]:
        raise FolderRefused("; ".join(map(str, problems)))
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    for table in ("model", "lora"):
        if rows := [_with_absolute_weights(row, file) for row in tables.get(table, [])]:
            append_rows(into, rows, table)
    return [_any(catalog, row["name"]) for row in tables.get("model", []) if row.get("enabled", True)]


def _with_absolute_weights(row: dict[str, Any], file: Path) -> dict[str, Any]:
    return {**row, "weights": str(file.resolve().parent / row["weights"])} if "weights" in row else row
