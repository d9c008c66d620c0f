"""What every house model's folder has: float16 weights in its library's layout, a recipe, a log, a size."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch

from pipelines.training.store import LOG, Store

LOG_LINES = 60  # a stage, evenly thinned


def save_half(model: Any, folder: Path) -> None:
    """A diffusers or transformers model or pipeline as float16 safetensors, the model itself left as it is.

    The configs say float32, which is what a plain load then computes in.
    """
    copy.deepcopy(model).to(torch.float16).save_pretrained(folder, safe_serialization=True)
    for path in folder.rglob("config.json"):
        config = json.loads(path.read_text())
        if config.get("dtype") == "float16":
            path.write_text(json.dumps({**config, "dtype": "float32"}, indent=2) + "\n")
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)


def finish(folder: Path, store: Store, recipe: dict[str, Any], *, largest: int) -> None:
    """recipe.json and training_log.jsonl of all stages; ValueError beyond `largest` bytes in all."""
    (folder / "recipe.json").write_text(json.dumps(recipe, indent=1) + "\n")
    stages = sorted(
        {path.parent for path in store.folder.rglob(LOG)}, key=lambda path: (path / LOG).stat().st_mtime
    )
    log = "".join(json.dumps(row) + "\n" for stage in stages for row in thinned(Store(stage).logged()))
    (folder / "training_log.jsonl").write_text(log)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > largest:
        raise ValueError(f"{folder} takes {size:,} bytes; this house model may take {largest:,}.")


def thinned(rows: list[dict[str, Any]], most: int = LOG_LINES) -> list[dict[str, Any]]:
    """The log with each stage thinned to about `most` rows, its last among them."""
    stages: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        stages.setdefault(row["stage"], []).append(row)
    kept = []
    for stage in stages.values():
        every = -(-len(stage) // most)
        kept += [row for i, row in enumerate(stage) if i % every == 0 or i == len(stage) - 1]
    return kept
