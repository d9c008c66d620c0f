"""Adding a model from a local folder to the operator's catalog."""

from pathlib import Path

from pipelines.models import Model


def add_folder(folder: Path, into: Path, name: str | None = None) -> Model:
    """Inspect the weights in `folder`, write a row for them into the catalog file `into`, and return it."""
    raise NotImplementedError
