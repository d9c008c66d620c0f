"""Writes the trained model: a scenes model's folder whose denoiser hears time, and the layers for motion."""

from __future__ import annotations

import json
from pathlib import Path

from pipelines.training import export as kit
from pipelines.training.motion import captioner, foresight, lessons, text
from pipelines.training.motion import learner as course
from pipelines.training.motion.learner import Motion
from pipelines.training.motion.parts import apart
from pipelines.training.store import Store

LARGEST = 20_000_000  # bytes the folder may take


def export(trained: Motion, store: Store, folder: Path) -> None:
    """The averaged weights and all that goes with them, float16."""
    unet, adapter, clock = apart(trained.average.weights, trained.scenes)
    parts = {"unet": unet, "motion_adapter": adapter, "vae": trained.vae, "text_encoder": trained.text}
    for name, part in parts.items():
        kit.save_half(part, folder / name)
    kit.save_half(clock, folder / "clock")
    kit.save_half(trained.captioner(store), folder / "captioner")
    trained.tokenizer.save_pretrained(folder / "tokenizer")
    trained.schedule.save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "AnimateDiffPipeline",
        **{name: ["diffusers", type(part).__name__] for name, part in parts.items()},
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    _without_double(folder / "vae" / "config.json")
    kit.finish(folder, store, recipe(trained, store), largest=LARGEST)


def _without_double(path: Path) -> None:
    """AutoencoderTiny saves a value that it warns of when it reads it."""
    config = json.loads(path.read_text())
    config.pop("block_out_channels", None)
    path.write_text(json.dumps(config, indent=2) + "\n")


def recipe(trained: Motion, store: Store) -> dict:
    """All that a second training needs to know, read from the code that did the first."""
    rows = [row for row in store.logged() if row["stage"] == trained.name]
    return {
        "command": "python -m pipelines.training.motion",
        "starts_from": "house/scenes",
        "seed": trained.seed,
        "text": {"steps": text.STEPS, "batch": text.BATCH, "rate": text.RATE, "faith": text.FAITH},
        "steps": trained.steps,
        "frames_a_step": course.BATCH,
        "frames_of_a_clip": [list(each) for each in course.FEW],
        "rates": {"motion": course.RATE_NEW, "scenes": course.RATE_OLD},
        "average": course.AVERAGE,
        "clock": {"steps": foresight.STEPS, "clips": foresight.CLIPS, "rate": foresight.RATE},
        "captioner": {"steps": captioner.STEPS, "batch": captioner.BATCH, "rate": captioner.RATE},
        "given_first_frames": lessons.GIVEN,
        "emphasis": lessons.EMPHASIS,
        "steps_done": rows[-1]["step"] if rows else 0,
        "cpu_seconds": round(rows[-1]["cpu_seconds"]) if rows else 0,
    }
