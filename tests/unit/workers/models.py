"""Models of the fake family for tests of what is kept loaded: so many bytes each."""

import json
from pathlib import Path
from typing import Any

from pipelines.models import Model


def a_model(folder: Path, name: str, behaviour: str = "", stored: int = 0, **row: Any) -> Model:
    """A row `test/<name>` whose weights do what `behaviour` says, and hold a safetensors file of `stored`
    bytes (float32), if that is not 0.
    """
    weights = folder / name
    weights.mkdir(exist_ok=True)
    (weights / "behaviour.txt").write_text(behaviour)
    if stored:
        write_zeros(weights / "model.safetensors", stored)
    values = {"family": "fake", "kinds": ["text-to-image"], "queue": "image", "weights": weights, **row}
    return Model.model_validate({"name": f"test/{name}", **values})


def write_zeros(file: Path, size: int) -> None:
    """A safetensors file of one float32 tensor of `size` zero bytes; it takes no room on disk."""
    header = {"zeros": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}
    text = json.dumps(header).encode()
    with file.open("wb") as opened:
        opened.write(len(text).to_bytes(8, "little") + text)
        opened.truncate(8 + len(text) + size)
