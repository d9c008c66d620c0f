"""What a worker knows of the models that its engine keeps loaded: for its card, upkeep and metrics."""

import time
from collections.abc import Iterable

from infra.jobs.answers import Measured
from infra.metrics import MODEL_LOAD_SECONDS, MODEL_LOADS, MODEL_MEMORY_BYTES, MODELS_UNLOADED, MODELS_WARM
from workers.messages import Message


class Stock:
    """Told by the engine's messages, in the work loop's thread; the beats read it, too."""

    def __init__(self) -> None:
        self.warm: tuple[str, ...] = ()
        """Names of the loaded models, last used last."""
        self.budget = 0
        """Bytes that weights and a run may take; 0 until an engine has said it."""
        self.held = 0
        """Bytes of all loaded weights; what models share counts once."""
        self._bytes: dict[str, int] = {}
        self._seconds: dict[str, float] = {}
        self._used: dict[str, float] = {}

    def measured(self) -> tuple[Measured, ...]:
        """What loading has cost so far, by model: also of models that are not loaded any more."""
        sizes, seconds = self._bytes, self._seconds
        return tuple(
            Measured(name, sizes[name], seconds[name]) for name in sorted(sizes.keys() & seconds.keys())
        )

    def unused(self, seconds: float) -> list[str]:
        """The loaded models that no run has used for so long."""
        now = time.monotonic()
        return [name for name in self.warm if now - self._used.get(name, now) >= seconds]

    def note(self, message: Message) -> None:
        """Take note of what a message of the engine says of its models."""
        match message["is"]:
            case "loaded":
                self._seconds = {**self._seconds, message["model"]: message["seconds"]}
                MODEL_LOAD_SECONDS.observe(message["seconds"], model=message["model"])
                MODEL_LOADS.inc(model=message["model"], result="loaded")
            case "not_loaded":
                MODEL_LOADS.inc(model=message["model"], result="failed")
            case "unloaded":
                MODELS_UNLOADED.inc(model=message["model"], why=message["why"])
        if message["is"] in ("loaded", "finished") and "model" in message:
            self._used[message["model"]] = time.monotonic()
        if "memory" in message:
            self._set_warm(message["warm"])
            self._set_memory(message["memory"])

    def lose(self) -> None:
        """The engine has ended, and all that it held is gone."""
        self._set_warm(())
        self._set_memory({"held": 0, "models": {}})

    def _set_warm(self, names: Iterable[str]) -> None:
        before, self.warm = self.warm, tuple(names)
        for name in {*before, *self.warm}:
            MODELS_WARM.set(float(name in self.warm), model=name)

    def _set_memory(self, memory: Message) -> None:
        self.budget, self.held = memory.get("budget", self.budget), memory["held"]
        self._bytes = {**self._bytes, **memory["models"]}
        MODEL_MEMORY_BYTES.set(self.budget, what="budget")
        MODEL_MEMORY_BYTES.set(self.held, what="held")
