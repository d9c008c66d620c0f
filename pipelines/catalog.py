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
from pipelines.loras import Lora
from pipelines.models import Model
from pipelines.seeds import choose_seed
from pipelines.weights import digest_folder

__all__ = ["BUILT_IN", "Catalog", "CatalogProblem", "Model", "Resolved", "add_folder", "digest_folder"]

BUILT_IN = Path(__file__).with_name("catalog.toml")
"""The models that come with Atelier."""

ON_THE_HUB = Path(__file__).with_name("hub.toml")
"""Models that can be pulled."""


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
    seed_chosen: bool
    """Whether the request named no seed, so that one was chosen."""


@dataclass(frozen=True)
class Catalog:
    """The models by name, in the order of the files; `problems` lists the rows that were left out."""

    models: dict[str, Model]
    problems: tuple[CatalogProblem, ...] = field(default=())
    not_offered: dict[str, Model] = field(default_factory=dict)
    """Rows that no request may name yet: nobody has pulled them, or accepted their licence."""
    classifiers: dict[str, Model] = field(default_factory=dict)
    """Rows without kinds: they look at what the models make (docs/safety.md)."""

    @classmethod
    def load(cls, extra: Sequence[Path] = ()) -> "Catalog":
        """The built-in rows, then those of `extra` in order.

        A row whose name is there already overrides it key by key (defaults and limits field by field).
        A broken row is left out and told in `problems`; the others still load.
        """
        reading = _Reading()
        for file in (BUILT_IN, ON_THE_HUB, *extra):
            reading.add(file)
        models = {name: model for name, model in reading.models.items() if model.enabled}
        for lora in reading.loras.values():
            for name in lora.models:
                if name in models:
                    loras = {**models[name].loras, lora.name: lora}
                    models[name] = models[name].model_copy(update={"loras": loras})
        return cls(
            {name: model for name, model in models.items() if model.offered and model.kinds},
            tuple(reading.problems),
            {name: model for name, model in models.items() if not model.offered},
            {name: model for name, model in models.items() if model.offered and not model.kinds},
        )

    @property
    def rows(self) -> dict[str, Model]:
        """All rows, whether requests may name them or not."""
        return {**self.models, **self.classifiers, **self.not_offered}

    def get(self, name: str) -> Model:
        """The model of this name; raises UnknownModel."""
        if name in self.models:
            return self.models[name]
        if name in self.not_offered:
            raise UnknownModel(f"{name} is not offered here: {self.not_offered[name].why_not_offered}")
        raise UnknownModel(f"there is no model {name!r}; known: {', '.join(self.models)}")

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
        seed_chosen = inputs.seed is None
        if seed_chosen:
            inputs = inputs.model_copy(update={"seed": choose_seed()})
        return Resolved(chosen, inputs, inputs.cost() * chosen.seconds_per_unit, seed_chosen)


class _Reading:
    """The tables of catalog files, read one file after the other."""

    def __init__(self) -> None:
        self.models: dict[str, Model] = {}
        self.loras: dict[str, Lora] = {}
        self.problems: list[CatalogProblem] = []
        self._rows: dict[str, dict[str, Any]] = {}

    def add(self, file: Path) -> None:
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
            models, loras = list(_tables(file, content, "model")), list(_tables(file, content, "lora"))
            if content:
                raise ValueError(f"has only [[model]] and [[lora]] tables, not {', '.join(content)}")
        except (OSError, ValueError) as error:
            self.problems.append(CatalogProblem(file, "", str(error)))
            return
        for number, row in enumerate(models, start=1):
            self._add_model(file, str(row.get("name") or f"row {number}"), row)
        for number, row in enumerate(loras, start=1):
            self._add_lora(file, str(row.get("name") or f"row {number}"), row)

    def _add_model(self, file: Path, name: str, row: dict[str, Any]) -> None:
        merged = _overlay(self._rows.get(name, {}), row)
        try:
            if "loras" in row:
                raise ValueError("loras: a LoRA is a [[lora]] table of its own")
            self.models[name] = Model.model_validate(merged)
            self._rows[name] = merged
        except ValueError as error:
            self.problems.append(CatalogProblem(file, name, _in_words(error)))

    def _add_lora(self, file: Path, name: str, row: dict[str, Any]) -> None:
        try:
            self.loras[name] = Lora.model_validate(row)
        except ValidationError as error:
            self.problems.append(CatalogProblem(file, f"lora {name}", _in_words(error)))


def _tables(file: Path, content: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    """Take the `[[key]]` tables of a file, weights made absolute; raises ValueError on a broken file."""
    tables = content.pop(key, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError(f"{key} must be written as [[{key}]]")
    for table in tables:
        weights = table.get("weights")
        at = file.resolve().parent / weights if isinstance(weights, str) and weights.strip() else weights
        yield {**table, "weights": at} if "weights" in table else table


def _overlay(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = {**under, **over}
    for name in ("defaults", "limits", "options"):
        if isinstance(under.get(name), dict) and isinstance(over.get(name), dict):
            merged[name] = {**under[name], **over[name]}
    return merged


def _in_words(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(
        f"{'.'.join(map(str, details['loc']))}: {details['msg']}" if details["loc"] else details["msg"]
        for details in error.errors(include_url=False)
    )
