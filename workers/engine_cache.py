"""The pipelines that an engine keeps loaded."""

import gc
import sys
from collections import OrderedDict
from typing import Any

from pipelines.base import load_pipeline
from pipelines.models import Model


class PipelineCache:
    """At most `size` loaded pipelines; the one used longest ago makes room for the next."""

    def __init__(self, device: str, size: int) -> None:
        self._device = device
        self._size = size
        self._loaded: OrderedDict[str, tuple[Model, Any]] = OrderedDict()

    @property
    def names(self) -> list[str]:
        """Names of the loaded models, last used last."""
        return list(self._loaded)

    def find(self, model: Model) -> Any | None:
        """The loaded pipeline of exactly this row of the catalog, now the last used; None when there is
        none.
        """
        row, pipeline = self._loaded.get(model.name, (None, None))
        if row != model:  # never loaded, or the row has changed since
            return None
        self._loaded.move_to_end(model.name)
        return pipeline

    def load(self, model: Model) -> Any:
        """Load a pipeline, after making room for it. Raises what the family raises."""
        self._loaded.pop(model.name, None)
        while len(self._loaded) >= self._size:
            self._loaded.popitem(last=False)
        free_memory()
        pipeline = load_pipeline(model, self._device)
        self._loaded[model.name] = (model, pipeline)
        return pipeline

    def drop(self, name: str) -> None:
        """Forget one pipeline, for instance because an error may have left it in disorder."""
        self._loaded.pop(name, None)
        free_memory()

    def clear(self) -> None:
        """Forget all pipelines."""
        self._loaded.clear()
        free_memory()


def free_memory() -> None:
    """Give back to the device what no pipeline holds any more. Loads no torch where none is loaded."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
