"""The models that this worker can run: rows of the catalog for its queues, whose family and weights are
here.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.jobs.answers import WorkerCard
from infra.logs import get_logger
from infra.metrics import MODELS_SET_ASIDE
from pipelines.base import family_names
from pipelines.catalog import BUILT_IN, Catalog
from pipelines.errors import ModelUnavailable
from pipelines.following import modified
from pipelines.models import Model
from workers.errors import ModelGivenUp
from workers.giving_up import GivingUp
from workers.stock import Stock

log = get_logger()

ASIDE_SECONDS = 300.0
"""How long a model that did not load is left alone while its files stay as they are: a mounted folder may be
back by then."""


@dataclass(frozen=True)
class Aside:
    """A model that did not load, and until when it is not offered."""

    stamp: int
    until: float


class Shelf:
    """Follows the catalog's files: a model that is added while the worker runs is served from then on. One
    that does not load is set aside, so that its jobs go to workers that have it whole, or wait."""

    def __init__(
        self,
        files: Sequence[Path],
        queues: Sequence[str],
        on_change: Callable[[], None],
        giving_up: GivingUp | None = None,
    ) -> None:
        """`on_change` is called when the files have been read, because they are new or have changed."""
        self._files = files
        self._giving_up = giving_up or GivingUp(tuple, None)
        self._families = frozenset(family_names())
        self._on_change = on_change
        self._queues = frozenset(queues)
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] = ()
        self._rows: dict[str, Model] = {}
        self._here: set[str] = set()
        self._aside: dict[str, Aside] = {}

    def models(self) -> dict[str, Model]:
        """The models by name, as the files say now, without those that are set aside."""
        with self._lock:
            if (stamp := self._stamp_now()) != self._stamp:
                self._rows = self._read()
                self._stamp = stamp
                self._here = set()
                self._on_change()
            unable = self._unable()
            return {name: model for name, model in self._rows.items() if name not in unable}

    def given_up(self) -> tuple[str, ...]:
        """Names of models whose jobs are to fail."""
        with self._lock:
            unable = self._unable()
        return self._giving_up.models(unable)

    def model(self, name: str) -> Model:
        """The model of this name; ModelUnavailable when this worker cannot run it any more, ModelGivenUp when
        its jobs are to fail.
        """
        try:
            return self.models()[name]
        except KeyError:
            with self._lock:
                unable = self._unable()
            if name in self._giving_up.models(unable):
                raise ModelGivenUp(f"No live worker can run {name}: {unable[name]} here.") from None
            raise ModelUnavailable(f"This worker has no model {name} any more.") from None

    def set_aside(self, name: str, reason: str) -> None:
        """Offer this model no more, until its files change or ASIDE_SECONDS have passed."""
        with self._lock:
            if (model := self._rows.get(name)) is None:
                return
            self._aside[name] = Aside(model.stamp(), time.monotonic() + ASIDE_SECONDS)
        MODELS_SET_ASIDE.set(1, model=name)
        log.error(
            "A model does not load and is set aside", action="model.set_aside", model=name, reason=reason
        )

    def _unable(self) -> dict[str, str]:
        """The models of this worker's queues that it cannot run now, and why, without a path."""
        found = {}
        for name, model in self._rows.items():
            if model.family not in self._families:
                found[name] = f"its family {model.family} is not installed"
            elif not self._has(model):
                found[name] = "its weights are missing"
            elif self._is_aside(model):
                found[name] = "it did not load"
        return found

    def _has(self, model: Model) -> bool:
        """Whether its weights are here. What was found is not looked for again until the catalog changes."""
        if model.name not in self._here and model.is_here():
            self._here.add(model.name)
        return model.name in self._here

    def _is_aside(self, model: Model) -> bool:
        aside = self._aside.get(model.name)
        if aside is None:
            return False
        if time.monotonic() < aside.until and model.stamp() == aside.stamp:
            return True
        del self._aside[model.name]
        MODELS_SET_ASIDE.set(0, model=model.name)
        log.info("A model is offered again", action="model.offered_again", model=model.name)
        return False

    def _stamp_now(self) -> tuple[int, ...]:
        return tuple(modified(file) for file in (BUILT_IN, *self._files))

    def _read(self) -> dict[str, Model]:
        catalog = Catalog.load([file for file in self._files if modified(file)])
        for problem in catalog.problems:
            log.warning("A catalog row is left out", action="catalog.problem", problem=str(problem))
        rows = {name: model for name, model in catalog.models.items() if model.queue in self._queues}
        here = [name for name, model in rows.items() if model.is_here()]
        missing = [name for name in rows if name not in here]
        log.info("This worker's models", action="catalog.read", models=here, missing=missing)
        return rows


class Business:
    """Makes this worker's cards."""

    def __init__(self, worker_id: str, device: str, queues: Sequence[str], shelf: Shelf) -> None:
        self._worker_id = worker_id
        self._device = device
        self._queues = tuple(queues)
        self._shelf = shelf
        self.host = socket.gethostname()

    def card(self, stock: Stock, rows_told: Mapping[str, int] = {}) -> WorkerCard:
        """The card as of now, with these models loaded; `rows_told`: most rows that a family has said it
        computes at once."""
        rows = self._shelf.models()
        return WorkerCard(
            id=self._worker_id,
            host=self.host,
            pid=os.getpid(),
            device=self._device,
            queues=self._queues,
            models=tuple(rows),
            warm=_warm(rows, stock.warm),
            batches={
                name: min(row.max_batch, rows_told.get(name, row.max_batch)) for name, row in rows.items()
            },
            memory_budget=stock.budget,
            memory_held=stock.held,
            measured=tuple(each for each in stock.measured() if each.model in rows),
            given_up=self._shelf.given_up(),
        )


def _warm(rows: Mapping[str, Model], loaded: Sequence[str]) -> tuple[str, ...]:
    """The models that are loaded, last used last, and those for which one of them serves as well."""
    names = [name for name in loaded if name in rows]
    keys = {rows[name].load_key for name in names}
    also = [name for name, row in rows.items() if keys and name not in names and row.load_key in keys]
    return (*also, *names)
