"""What a worker does for its models while it has no job: load those that it is to have ready, and drop those
that nobody has used for long.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from infra.logs import get_logger
from pipelines.errors import ModelUnavailable, OutOfMemory
from pipelines.models import Model
from workers.engine_client import Engine, EngineFailure
from workers.messages import NO_ROOM, Message
from workers.shelf import Shelf

log = get_logger()


class Upkeep:
    """For the work loop's thread. Pinned models come back whenever they have had to go; others that are to be
    preloaded are loaded once by each engine. What does not load is not tried again before its row or its
    files change: its jobs still try it.
    """

    def __init__(
        self,
        engine: Engine,
        shelf: Shelf,
        preload: Sequence[str],
        idle_seconds: float,
        stop: Callable[[], bool],
    ) -> None:
        """`idle_seconds`: unused models are dropped after so long; 0: never. `stop` ends a load."""
        self._engine = engine
        self._shelf = shelf
        self._preload = preload
        self._idle_seconds = idle_seconds
        self._stop = stop
        self._tried: set[str] = set()
        """Names that this engine need not be asked for again."""
        self._engine_pid = 0
        self._failed: dict[str, tuple[Model, int]] = {}
        """Rows that did not load, with the stamps of their files."""

    def tend(self) -> bool:
        """Do one thing, if there is one; then jobs come first again. Harmless whatever comes of it."""
        if (pid := self._engine.pid) is None or self._engine.busy or self._stop():
            return False
        if pid != self._engine_pid:
            self._engine_pid, self._tried = pid, set()
        models = self._shelf.models()
        if unused := self._unused(models):
            with suppress(EngineFailure):  # then they are gone as well
                self._engine.unload(unused, self._stop)
            return True
        model = next(self._wanted(models), None)
        if model is not None:
            self._load(model)
        return model is not None

    def _unused(self, models: dict[str, Model]) -> list[str]:
        if not self._idle_seconds:
            return []
        unused = self._engine.stock.unused(self._idle_seconds)
        return [name for name in unused if name not in models or not models[name].pinned]

    def _wanted(self, models: dict[str, Model]) -> Iterator[Model]:
        """The models that should be loaded now and are not, first things first."""
        warm = {models[name].load_key for name in self._engine.stock.warm if name in models}
        pinned = [name for name, model in models.items() if model.pinned]
        for name in dict.fromkeys((*pinned, *self._preload)):
            model = models.get(name)
            if model is None or model.load_key in warm or name in self._tried:
                continue
            if self._failed.get(name) != (model, model.stamp()):
                yield model

    def _load(self, model: Model) -> None:
        if not model.pinned:
            self._tried.add(model.name)
        stamp = model.stamp()
        try:
            refused = self._engine.load(model.model_dump(mode="json"), self._stop)
        except EngineFailure as failure:
            refused = {"type": "engine", "detail": str(failure)}
        if self._stop():
            return
        if refused is None:
            log.info("A model is loaded beforehand", action="model.preloaded", model=model.name)
        else:
            self._note(model, stamp, refused)

    def _note(self, model: Model, stamp: int, refused: Message) -> None:
        log.warning(
            "A model is not loaded beforehand",
            action="model.not_preloaded",
            model=model.name,
            reason=refused["detail"],
        )
        self._tried.add(model.name)
        if refused["type"] not in (NO_ROOM, OutOfMemory.type):
            self._failed[model.name] = (model, stamp)
        if refused["type"] == ModelUnavailable.type:
            self._shelf.set_aside(model.name, refused["detail"])
