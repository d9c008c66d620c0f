"""Writes the trained parts as a diffusers folder, float16, with the recipe, a log and a contact sheet."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.training.export import finish, save_half
from pipelines.training.scenes import autoencoder, denoiser, learner, sampling, text
from pipelines.training.scenes.evaluate import GUIDANCE, STEPS
from pipelines.training.store import Store

LARGEST = 16_000_000  # bytes the folder may take


def export(trained: learner.Scenes, store: Store, folder: Path) -> None:
    """The averaged denoiser and all that goes with it, ready for `from_pretrained`."""
    save_half(trained.pipeline(), folder)
    for part in ("vae", "unet"):
        _tidied(folder / part / "config.json")
    finish(folder, store, recipe(trained, store.logged()[-1]["step"]), largest=LARGEST)


def _tidied(path: Path) -> None:
    """Without where it was begun from, and without a field that the library writes and then warns of."""
    config = json.loads(path.read_text())
    config.pop("_name_or_path", None)
    if path.parent.name == "vae":
        config.pop("block_out_channels", None)
    path.write_text(json.dumps(config, indent=2) + "\n")


def recipe(trained: learner.Scenes, done: int) -> dict[str, Any]:
    """All that a second training needs to know, read from the code that did the first; the steps `done`."""
    return {
        "command": "python -m pipelines.training.scenes" + (" --begin-with FOLDER" if trained.begun else ""),
        "begun with": "exported weights" if trained.begun else "nothing",
        "steps done": done,
        "seed": trained.seed,
        "steps": asdict(trained.plan),
        "autoencoder": {
            "batch": autoencoder.BATCH,
            "latent_channels": autoencoder.LATENT_CHANNELS,
            "shrink": autoencoder.SHRINK,
            "latent_noise": autoencoder.LATENT_NOISE,
            "anchor": autoencoder.ANCHOR,
        },
        "text": {
            "batch": text.BATCH,
            "tokens": text.TOKENS,
            "width": text.WIDTH,
            "likeness": text.LIKENESS,
        },
        "denoiser": {
            "batch": learner.BATCH,
            "average": learner.AVERAGE,
            "emphasis": denoiser.EMPHASIS,
            "empty_captions": learner.SILENT,
            "pool": learner.POOL,
            "curriculum": sampling.CURRICULUM,
            "styles": sampling.STYLE_CURRICULUM,
        },
        "defaults": {"steps": STEPS, "guidance": GUIDANCE, "width": 64, "height": 64},
    }
