"""How well a scenes pipeline obeys held-out prompts, as told by the judge, and a sheet for people to look at.

python -m pipelines.training.scenes --evaluate pipelines/house/scenes
python -m pipelines.training.scenes.evaluate pipelines/house/scenes docs/models/scenes-contact-sheet.png
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.training.figures import share
from pipelines.training.pictures import sheet
from pipelines.training.scenes.captions import Wording, caption
from pipelines.training.scenes.exam import examine
from pipelines.training.scenes.judge import Sight, look, matches, obeys
from pipelines.training.scenes.sampling import random_scene
from pipelines.training.scenes.vocabulary import STYLES, THINGS

STEPS, GUIDANCE = 20, 2.5  # what the model card recommends
DRAWINGS = 1000  # that the judge is examined on
BATCH = 50  # pictures at a time
PAINT_SEED = 2_000_000  # of the first picture; training's noise has no seed in common with it
PROMPT_SEED = 101  # of the figure's prompts; guidance and steps were chosen on others
FAULTS = ("style", "background", "number of things", "thing", "colour", "place or relation")


def held_out_prompts(
    count: int, things: int, seed: int = PROMPT_SEED, style: str | None = None
) -> list[Wording]:
    """Wordings of scenes whose every (thing, colour, place, background) training has never drawn. They say
    everything: each colour, each place or the relation, the background and the style."""
    dice = random.Random(seed * 10 + things)
    scenes = [random_scene(dice, things, held_out=True, style=style) for _ in range(count)]
    return [caption(scene, dice, plain=True, full=True) for scene in scenes]


def paint(
    pipeline: Any,
    prompts: Sequence[Wording],
    steps: int = STEPS,
    guidance: float = GUIDANCE,
    seed: int = PAINT_SEED,
) -> list[np.ndarray]:
    """One (SIDE, SIDE, 3) uint8 picture a prompt; picture i starts from the noise of seed + i."""
    import torch

    pictures: list[np.ndarray] = []
    for start in range(0, len(prompts), BATCH):
        texts = [wording.text for wording in prompts[start : start + BATCH]]
        noise = [torch.Generator().manual_seed(seed + start + i) for i in range(len(texts))]
        images = pipeline(
            texts, num_inference_steps=steps, guidance_scale=guidance, generator=noise, output_type="np"
        ).images
        pictures += list(np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8))
    return pictures


def obedience(
    pipeline: Any, prompts: Sequence[Wording], steps: int = STEPS, guidance: float = GUIDANCE
) -> float:
    """Share of the prompts obeyed in full: style, background, and each thing, its colour and its place."""
    if not prompts:
        raise ValueError("Obedience needs at least one prompt.")
    pictures = paint(pipeline, prompts, steps, guidance)
    return sum(obeys(*pair) for pair in zip(pictures, prompts, strict=True)) / len(prompts)


def faults(sights: Sequence[Sight], prompts: Sequence[Wording]) -> dict[str, float]:
    """Share of pictures with each kind of fault; a picture may have several."""
    counts = dict.fromkeys(FAULTS, 0)
    for sight, wording in zip(sights, prompts, strict=True):
        for fault in _faults(sight, wording):
            counts[fault] += 1
    return {name: round(count / len(prompts), 4) for name, count in counts.items()}


def _faults(sight: Sight, wording: Wording) -> list[str]:
    found = []
    if wording.style not in (None, sight.style):
        found.append("style")
    if wording.background not in (None, sight.background):
        found.append("background")
    if len(sight.things) != len(wording.things):
        return [*found, "number of things"]
    if sorted(str(thing.name) for thing in sight.things) != sorted(said.name for said in wording.things):
        found.append("thing")
    colours = [thing.colour for thing in sight.things]
    if any(said.colour and said.colour not in colours for said in wording.things):
        found.append("colour")
    if not found and not matches(sight, wording):
        found.append("place or relation")
    return found


def measured(
    pipeline: Any, count: int, things: int, seed: int = PROMPT_SEED, style: str | None = None
) -> dict[str, Any]:
    """Obedience over `count` held-out prompts, of one style or of all; whole, by style, by thing, and what
    goes wrong."""
    prompts = held_out_prompts(count, things, seed, style)
    sights = [look(picture) for picture in paint(pipeline, prompts)]
    obeyed = [matches(sight, wording) for sight, wording in zip(sights, prompts, strict=True)]

    def shares(names: Sequence[str], has: Callable[[Wording, str], bool]) -> dict[str, Any]:
        passed = {
            name: [ok for ok, wording in zip(obeyed, prompts, strict=True) if has(wording, name)]
            for name in names
        }
        return {name: share(sum(oks), len(oks)) for name, oks in passed.items() if oks}

    return {
        "obeyed": share(sum(obeyed), count),
        "by style": shares(STYLES, lambda wording, style: wording.style == style),
        "by thing": shares(THINGS, lambda wording, name: name in [said.name for said in wording.things]),
        "faults": faults(sights, prompts),
    }


def evaluate(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """The judge's own figures, and obedience over `count` held-out prompts of one thing in the flat style,
    and a fifth as many in all styles and of two things. Any seed but 0 gives other prompts than the card's.
    """
    pipeline = load(folder)
    true, swapped = examine(DRAWINGS, seed=3_000_000 + seed)
    asked = {
        "one thing, flat": (count, 1, "flat"),
        "one thing, all styles": (count // 5, 1, None),
        "two things, flat": (count // 5, 2, "flat"),
        "two things, all styles": (count // 5, 2, None),
    }
    found = {
        name: measured(pipeline, many, things, PROMPT_SEED + seed, style)
        for name, (many, things, style) in asked.items()
    }
    return {
        **{name: figures.pop("obeyed") for name, figures in found.items()},
        "true drawings passed by the judge": share(round(true * DRAWINGS), DRAWINGS),
        "swapped drawings passed by the judge": share(round(swapped * DRAWINGS), DRAWINGS),
        "more": found,
        "steps": STEPS,
        "guidance": GUIDANCE,
    }


def contact_sheet(pipeline: Any, path: Path, seed: int = 5) -> None:
    """For each style four prompts of one thing and two of two, with the judge's verdict."""
    prompts = [
        wording
        for style in STYLES
        for things, count in ((1, 4), (2, 2))
        for wording in held_out_prompts(count, things, seed, style)
    ]
    pictures = paint(pipeline, prompts)
    verdicts = ["yes" if obeys(*pair) else "NO" for pair in zip(pictures, prompts, strict=True)]
    captions = [f"{verdict}: {wording.text}" for verdict, wording in zip(verdicts, prompts, strict=True)]
    sheet(pictures, captions, path)


def load(folder: Path) -> Any:
    """The pipeline of an exported folder, without its progress bars."""
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


if __name__ == "__main__":
    contact_sheet(load(Path(sys.argv[1])), Path(sys.argv[2]))
