"""The pipelines that an engine keeps loaded, within a budget of memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pipelines.base import load_family, load_pipeline
from pipelines.models import Model
from pipelines.sizes import size_of
from workers.engine_memory import DeviceMemory, Storages
from workers.engine_reading import Reading
from workers.messages import Message


class NoRoom(Exception):
    """A model that nobody waits for does not fit beside those that are loaded."""


@dataclass
class Loaded:
    """A loaded pipeline, and the rows of the catalog that it serves."""

    pipeline: Any
    storages: Storages
    rows: dict[str, Model] = field(default_factory=dict)

    @property
    def pinned(self) -> bool:
        return any(row.pinned for row in self.rows.values())

    @property
    def bytes(self) -> int:
        """What it holds, with what it shares with others."""
        return sum(self.storages.values())


class PipelineCache:
    """Loaded pipelines whose weights, and the run of any one of them, fit the budget together.

    The one used longest ago makes room for the next, pinned ones last. The engine runs one model at a time,
    so the one asked for is the one that runs, and never goes. A model that is too large for the whole budget
    is loaded all the same, alone. What it takes is told from its files' headers until it has been loaded and
    run, and measured from then on.
    """

    def __init__(
        self,
        device: str,
        budget: int,
        memory: DeviceMemory | None = None,
        on_unload: Callable[[str, str], None] = lambda name, why: None,
    ) -> None:
        """`budget` in bytes. `on_unload` is told the name of each model that goes, and why: `room`, `idle`,
        `memory` (there was too little), `broken` (an error may have left it in disorder) or `changed` (its
        row).
        """
        self._device = device
        self._budget = budget
        self._memory = memory or DeviceMemory(device)
        self._on_unload = on_unload
        self._loaded: dict[str, Loaded] = {}
        """By `load_key`, last used last."""
        self._held: dict[str, int] = {}
        """Bytes of weights that were measured."""
        self._runs: dict[str, int] = {}
        """Most bytes that a run has taken beside the weights."""

    @property
    def names(self) -> list[str]:
        """Names of the loaded models, last used last."""
        return [name for each in self._loaded.values() for name in each.rows]

    def report(self) -> Message:
        """What is loaded, and what it holds: parts of the messages to the worker."""
        models = {name: each.bytes for each in self._loaded.values() for name in each.rows}
        return {
            "warm": self.names,
            "memory": {"budget": self._budget, "held": _together(self._loaded.values()), "models": models},
        }

    def find(self, model: Model) -> Any | None:
        """The loaded pipeline of exactly these weights and options, now the last used; None when there is
        none.
        """
        self._forget_changed(model)
        if (found := self._loaded.pop(model.load_key, None)) is None:
            return None
        self._loaded[model.load_key] = found
        found.rows.pop(model.name, None)
        found.rows[model.name] = model
        self._make_room(model)
        return found.pipeline

    def prepare(self, model: Model, *, spare: bool = False) -> None:
        """Check a model's files and make room for it. Raises ModelUnavailable where they will not do.

        `spare`: nobody waits for it. It then takes only what is free, or, if it is pinned, the place of
        models that are not; NoRoom where that is too little.
        """
        model.check_weights()
        if spare and not self._fits(
            model, [each for each in self._loaded.values() if self._stays(each, model)]
        ):
            raise NoRoom(f"{model.name} does not fit beside {', '.join(self.names) or 'nothing'}")
        self._make_room(model)
        self._memory.free()

    def load(self, model: Model, tell: Callable[[float], None] = lambda fraction: None) -> Any:
        """Load what was prepared. Raises what the family raises. `tell` is given the part of the files that
        has been read, if that can be known.
        """
        load_family(model.family)  # its libraries are no part of what is read
        with Reading(size_of(model, self._device).stored, tell):
            pipeline = load_pipeline(model, self._device)
        loaded = Loaded(pipeline, self._memory.held_by(pipeline), {model.name: model})
        self._loaded[model.load_key] = loaded
        self._held[model.load_key] = loaded.bytes
        self._make_room(model)
        return pipeline

    @contextmanager
    def running(self, model: Model) -> Iterator[None]:
        """Measure a run, for the next time that room is made."""
        with self._memory.peak() as peak:
            yield
        key = model.load_key
        self._runs[key] = max(self._runs.get(key, 0), *peak, 0)

    def unload(self, names: Iterable[str], why: str) -> None:
        """Let these go. A pipeline stays as long as it serves a model of another name."""
        for name in names:
            for key, each in list(self._loaded.items()):
                if each.rows.pop(name, None) is None:
                    continue
                if not each.rows:
                    del self._loaded[key]
                self._on_unload(name, why)
        self._memory.free()

    def drop(self, name: str) -> None:
        """Let a pipeline go that an error may have left in disorder, for all models that it serves."""
        for each in list(self._loaded.values()):
            if name in each.rows:
                self.unload(list(each.rows), "broken")

    def clear(self) -> None:
        """Let all go, since there is too little memory."""
        self.unload(self.names, "memory")

    def _forget_changed(self, model: Model) -> None:
        """Let go what this model was before its row has changed."""
        for key, each in self._loaded.items():
            if model.name in each.rows and key != model.load_key:
                self.unload([model.name], "changed")
                return

    def _make_room(self, model: Model) -> None:
        """Let others go, the one used longest ago first, until the model fits beside those that stay."""
        self._forget_changed(model)
        while others := [each for key, each in self._loaded.items() if key != model.load_key]:
            if self._fits(model, others):
                return
            victim = next((each for each in others if not each.pinned), others[0])
            self.unload(list(victim.rows), "room")

    @staticmethod
    def _stays(each: Loaded, model: Model) -> bool:
        """Whether one that is loaded stays when this model is loaded though nobody waits for it."""
        return each.pinned or not model.pinned

    def _fits(self, model: Model, others: Sequence[Loaded]) -> bool:
        """Whether the model fits beside these. One run is on at a time, so only the largest counts."""
        own = self._loaded.get(model.load_key)
        weights = _together([*others, own]) if own else _together(others) + self._weights(model)
        runs = [self._run(row) for each in others for row in each.rows.values()]
        return weights + max(self._run(model), *runs, 0) <= self._budget

    def _weights(self, model: Model) -> int:
        return self._held.get(model.load_key) or size_of(model, self._device).loaded

    def _run(self, model: Model) -> int:
        """Bytes of a run beside the weights: measured, else as the row says; 0 where runs are not counted."""
        if not self._memory.counts_runs:
            return 0
        guess = max(0, model.memory_bytes - self._weights(model)) if model.memory_bytes else 0
        return self._runs.get(model.load_key, guess)


def _together(loaded: Iterable[Loaded]) -> int:
    """The bytes that these hold; what they share counts once."""
    union: Storages = {}
    for each in loaded:
        union |= each.storages
    return sum(union.values())
