"""The catalog: the models that this deployment offers, from `catalog.toml` and the operator's files."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.errors import UnknownModel
from pipelines.folders import add_folder
from pipelines.kinds import Inputs, inputs_of
from pipelines.models import Model, digest_folder
from pipelines.seeds import choose_seed

__all__ = ["BUILT_IN", "Catalog", "CatalogProblem", "Model", "Resolved", "add_folder", "digest_folder"]

BUILT_IN = Path(__file__).with_name("catalog.toml")


@dataclass(frozen=True)
class CatalogProblem:
    """A row, or a whole file, that was left out of the catalog, and why."""

    file: Path
    row: str
    """The model's name, `row 3` where it has none, or empty for a problem of the whole file."""
    detail: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.file), self.row, self.detail) if part)


@dataclass(frozen=True)
class Resolved:
    """A request that can be queued: which model, with which effective inputs (the seed included)."""

    model: Model
    inputs: Inputs
    cost: float
    """Estimate in device-seconds."""


@dataclass(frozen=True)
class Catalog:
    """The models by name, in the order of the files; `problems` lists the rows that were left out."""

    models: dict[str, Model]
    problems: tuple[CatalogProblem, ...] = field(default=())

    @classmethod
    def load(cls, extra: Sequence[Path] = ()) -> "Catalog":
        """The built-in rows, then those of `extra` in order.

        A row whose name is there already overrides it key by key (defaults and limits field by field).
        A broken row is left out and told in `problems`; the others still load.
        """
        rows: dict[str, dict[str, Any]] = {}
        models: dict[str, Model] = {}
        problems: list[CatalogProblem] = []
        for file in (BUILT_IN, *extra):
            try:
                found = list(_rows(file))
            except (OSError, ValueError) as error:
                problems.append(CatalogProblem(file, "", str(error)))
                continue
            for number, row in enumerate(found, start=1):
                name = str(row.get("name") or f"row {number}")
                merged = _overlay(rows.get(name, {}), row)
                try:
                    models[name] = Model.model_validate(merged)
                    rows[name] = merged
                except ValidationError as error:
                    problems.append(CatalogProblem(file, name, _in_words(error)))
        return cls({name: model for name, model in models.items() if model.enabled}, tuple(problems))

    def get(self, name: str) -> Model:
        """The model of this name; raises UnknownModel."""
        if name not in self.models:
            raise UnknownModel(f"there is no model {name!r}; known: {', '.join(self.models)}")
        return self.models[name]

    def for_kind(self, kind: str) -> list[Model]:
        """The models that do `kind`, in the catalog's order; raises UnknownKind."""
        inputs_of(kind)
        return [model for model in self.models.values() if kind in model.kinds]

    def default_for(self, kind: str) -> Model:
        """The model for a request that names none: the last that says so, else the first that can."""
        able = self.for_kind(kind)
        if not able:
            raise UnknownModel(f"no model does {kind}")
        return next((model for model in reversed(able) if kind in model.default_for), able[0])

    def queues(self) -> list[str]:
        """The names of the models' queues, sorted."""
        return sorted({model.queue for model in self.models.values()})

    def resolve(self, kind: str, model: str | None, raw: dict[str, Any]) -> Resolved:
        """Check a request and fill in what it leaves out; raises UnknownKind, UnknownModel, InvalidInputs."""
        inputs_of(kind)
        chosen = self.default_for(kind) if model is None else self.get(model)
        if kind not in chosen.kinds:
            raise UnknownModel(f"{chosen.name} does not do {kind}; it does {', '.join(chosen.kinds)}")
        inputs = chosen.inputs(kind, raw)
        if inputs.seed is None:
            inputs = inputs.model_copy(update={"seed": choose_seed()})
        return Resolved(chosen, inputs, inputs.cost() * chosen.seconds_per_unit)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """The `[[model]]` tables of a file, their weights made absolute; raises ValueError on a broken file."""
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    tables = content.pop("model", [])
    if content:
        raise ValueError(f"has only [[model]] tables, not {', '.join(content)}")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError("model must be written as [[model]]")
    for table in tables:
        weights = table.get("weights")
        at = file.resolve().parent / weights if isinstance(weights, str) and weights.strip() else weights
        yield {**table, "weights": at} if "weights" in table else table


def _overlay(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = {**under, **over}
    for name in ("defaults", "limits"):
        if isinstance(under.get(name), dict) and isinstance(over.get(name), dict):
            merged[name] = {**under[name], **over[name]}
    return merged


def _in_words(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, details['loc']))}: {details['msg']}" if details["loc"] else details["msg"]
        for details in error.errors(include_url=False)
    )
