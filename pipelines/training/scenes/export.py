"""Writes the trained parts as a diffusers folder, float16, with the recipe and a short training log.

python -m pipelines.training.scenes.export pipelines/house/scenes
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch

from pipelines.training.scenes import (
    autoencoder,
    denoiser,
    sampling,
    text,
    train_autoencoder,
    train_denoiser,
    train_text,
)
from pipelines.training.scenes.evaluate import GUIDANCE, STEPS
from pipelines.training.scenes.state import Store

LARGEST = 15_000_000  # bytes the folder may take
LOG_LINES = 60  # a stage, evenly thinned


def export(store: Store, folder: Path) -> None:
    """The averaged denoiser and all that goes with it, ready for `from_pretrained`."""
    tokenizer = train_text.tokenizer_of(store)
    state = store.require(train_denoiser.CHECKPOINT, "python -m pipelines.training.scenes.train_denoiser")
    unet = denoiser.build()
    unet.load_state_dict(state["average"])
    reader = train_text.trained_encoder(store, tokenizer)
    pipeline = train_denoiser.assemble(unet, reader, tokenizer, train_denoiser.trained_autoencoder(store))
    pipeline.to(torch.float16).save_pretrained(folder, safe_serialization=True)
    _tidy(folder)
    (folder / "recipe.json").write_text(json.dumps(recipe(state), indent=1) + "\n")
    (folder / "training_log.jsonl").write_text(short_log(store))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > LARGEST:
        raise ValueError(f"{folder} takes {size:,} bytes; a house model may take {LARGEST:,}.")


def _tidy(folder: Path) -> None:
    """Mends what the libraries save: a plain load gives float32 in every part, and no needless warning."""
    _edit(folder / "text_encoder" / "config.json", lambda config: config.update(dtype="float32"))
    _edit(folder / "vae" / "config.json", lambda config: config.pop("block_out_channels", None))
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)


def _edit(path: Path, change: Callable[[dict], object]) -> None:
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config, indent=2) + "\n")


def recipe(state: dict) -> dict:
    """All that a second training needs to know, read from the code that did the first."""
    return {
        "scripts": "pipelines/training/scenes",
        "order": ["train_autoencoder", "train_text", "train_denoiser", "export", "evaluate"],
        "autoencoder": {
            "batch": train_autoencoder.BATCH,
            "rate": train_autoencoder.RATE,
            "latent_channels": autoencoder.LATENT_CHANNELS,
            "shrink": autoencoder.SHRINK,
            "latent_noise": autoencoder.LATENT_NOISE,
            "seeds": {"torch": 0, "pictures": 1},
        },
        "text": {
            "batch": train_text.BATCH,
            "rate": train_text.RATE,
            "tokens": text.TOKENS,
            "width": text.WIDTH,
            "seeds": {"torch": 0, "captions": 100, "tokenizer": 0},
        },
        "denoiser": {
            "batch": train_denoiser.BATCH,
            "rate": train_denoiser.RATE,
            "decay_from": train_denoiser.DECAY_FROM,
            "average": train_denoiser.AVERAGE,
            "emphasis": denoiser.EMPHASIS,
            "empty_captions": train_denoiser.SILENT,
            "pool": train_denoiser.POOL,
            "curriculum": sampling.CURRICULUM,
            "steps": state["step"],
            "seconds": round(state["spent"]),
            "seeds": {"torch": 10_000_000, "pool": 10_000_000},
        },
        "defaults": {"steps": STEPS, "guidance": GUIDANCE, "width": 64, "height": 64},
    }


def short_log(store: Store) -> str:
    """The log with each stage thinned to a few dozen lines; looks at obedience are all kept."""
    stages: dict[str, list[str]] = {}
    for line in store.path("log.jsonl").read_text().splitlines():
        stages.setdefault(json.loads(line)["stage"], []).append(line)
    kept: list[str] = []
    for stage, lines in stages.items():
        every = 1 if stage == "obedience" else -(-len(lines) // LOG_LINES)
        kept += [line for i, line in enumerate(lines) if i % every == 0 or i == len(lines) - 1]
    return "\n".join(kept) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--store", default="var/scenes")
    chosen = parser.parse_args()
    export(Store(chosen.store), chosen.folder)


if __name__ == "__main__":
    main()
