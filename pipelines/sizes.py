"""How much memory a model's weights will take, told from the headers of its files. Loads nothing heavy."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import FolderRefused
from pipelines.layouts import WEIGHTLESS, parts_of, pipeline_layout
from pipelines.models import Model
from pipelines.weights import header_of, parts_of_index, read_json, walk

VARIANTS = (".fp16", ".bf16", ".non_ema", ".ema")
"""Infixes of files that hold the same weights once more, in another way."""


@dataclass(frozen=True)
class Size:
    """Bytes of a model's weights."""

    stored: int
    """In the files that are read."""
    loaded: int
    """In memory, once they have the number format that the row asks for."""


def size_of(model: Model, device: str) -> Size:
    """The size of a model on a device; nothing where it has no safetensors here, or no readable ones."""
    if model.weights is None:
        return Size(0, 0)
    width = _width(model.dtype, device)
    try:
        tensors = [tensor for file in _files(model.weights) for tensor in header_of(file).values()]
        return Size(sum(map(_stored, tensors)), sum(_loaded(tensor, width) for tensor in tensors))
    except (OSError, FolderRefused, LookupError, TypeError):  # the loader will say what is wrong
        return Size(0, 0)


def _width(dtype: str, device: str) -> int:
    """Bytes of a number of this format; `auto` as the families choose."""
    if dtype == "auto":
        dtype = "float32" if device == "cpu" else "bfloat16"
    return 4 if dtype == "float32" else 2


def _stored(tensor: dict[str, Any]) -> int:
    begin, end = tensor["data_offsets"]
    return int(end - begin)


def _loaded(tensor: dict[str, Any], width: int) -> int:
    """Whole numbers stay as they are, and so do those of fewer than 16 bits: they are quantised."""
    if tensor["dtype"] in ("F64", "F32", "F16", "BF16"):
        return int(math.prod(tensor["shape"])) * width
    return _stored(tensor)


def _files(folder: Path) -> Iterator[Path]:
    """The files that are loaded; of a pipeline, those in the folders of its parts."""
    for part in _parts(folder):
        yield from _chosen(part)


def _parts(folder: Path) -> list[Path]:
    if not (folder / "model_index.json").is_file():
        return [folder, *(path for path in walk(folder) if path.is_dir())]
    index = read_json(folder / "model_index.json")
    try:
        names = parts_of(index, pipeline_layout(index.get("_class_name")))
    except FolderRefused:  # a family of somebody else's
        names = [name for name, stated in index.items() if isinstance(stated, list)]
    return [folder / name for name in names if not WEIGHTLESS.fullmatch(name) and (folder / name).is_dir()]


def _chosen(part: Path) -> list[Path]:
    """The files of a part: those that its index names, else those that are not another's variant."""
    for index in sorted(part.glob("*.safetensors.index.json")):
        if not index.name.removesuffix(".safetensors.index.json").endswith(VARIANTS):
            return [part / name for name in parts_of_index(index)]
    found = sorted(part.glob("*.safetensors"))
    plain = [file for file in found if not file.stem.endswith(VARIANTS)]
    return plain or found
