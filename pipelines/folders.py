"""Adding a model from a local folder to the operator's catalog. Looks before it trusts."""

from pathlib import Path

from pydantic import ValidationError

from pipelines.errors import FolderRefused
from pipelines.layouts import inspect
from pipelines.models import Model
from pipelines.rows import append_rows
from pipelines.weights import check_safe, digest_folder


def add_folder(folder: Path, into: Path, name: str | None = None) -> Model:
    """Inspect the weights in `folder`, write a row for them into the catalog file `into`, and return it.

    `name` is `maker/model`; without it, `local/` and the folder's name. Raises FolderRefused, and then
    `into` is as it was.
    """
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise FolderRefused(f"{folder} is not a folder")
    check_safe(folder)
    row = {
        "name": name or f"local/{folder.name.lower()}",
        "title": folder.name,
        **inspect(folder),
        "weights": str(folder),
        "sha256": digest_folder(folder),
    }
    try:
        model = Model.model_validate(row)
    except ValidationError as error:
        raise FolderRefused(
            "; ".join(details["msg"] for details in error.errors(include_url=False))
        ) from error
    append_rows(into, [row])
    return model
