"""How well a scenes pipeline obeys held-out prompts, as told by the judge, and a contact sheet for people.

python -m pipelines.training.scenes.evaluate pipelines/house/scenes --sheet docs/scenes-contact-sheet.png
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pipelines.training.scenes.captions import Wording, caption
from pipelines.training.scenes.exam import examine
from pipelines.training.scenes.judge import look, matches, obeys
from pipelines.training.scenes.sampling import random_scene

STEPS, GUIDANCE = 20, 4.0  # what the model card recommends
BATCH = 50  # pictures at a time
SEED = 2_000_000  # of the first picture; training's noise has no seed in common with it


def held_out_prompts(count: int, things: int, seed: int = 77) -> list[Wording]:
    """Wordings of scenes whose every (thing, colour, place, background) training has never drawn."""
    dice = random.Random(seed * 10 + things)
    return [caption(random_scene(dice, things, held_out=True), dice, plain=True) for _ in range(count)]


def paint(
    pipeline, prompts: Sequence[Wording], steps: int = STEPS, guidance: float = GUIDANCE, seed: int = SEED
):
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


def obedience(pipeline, prompts: Sequence[Wording], steps: int = STEPS, guidance: float = GUIDANCE) -> float:
    """Share of the prompts obeyed in full: each thing, its colour and place, and the background."""
    if not prompts:
        raise ValueError("Obedience needs at least one prompt.")
    pictures = paint(pipeline, prompts, steps, guidance)
    return sum(obeys(*pair) for pair in zip(pictures, prompts, strict=True)) / len(prompts)


def faults(pictures: Sequence[np.ndarray], prompts: Sequence[Wording]) -> dict[str, float]:
    """Share of pictures with each kind of fault; a picture may have several."""
    counts = dict.fromkeys(("background", "number of things", "thing", "colour", "place or relation"), 0)
    for picture, wording in zip(pictures, prompts, strict=True):
        sight = look(picture)
        counts["background"] += wording.background not in (None, sight.background)
        if len(sight.things) != len(wording.things):
            counts["number of things"] += 1
            continue
        names, said = sorted(str(t.name) for t in sight.things), sorted(t.name for t in wording.things)
        colours = [thing.colour for thing in sight.things]
        wrong_colour = any(t.colour and t.colour not in colours for t in wording.things)
        counts["thing"] += names != said
        counts["colour"] += wrong_colour
        placed = matches(sight, wording) or wording.background not in (None, sight.background)
        counts["place or relation"] += names == said and not wrong_colour and not placed
    return {name: round(count / len(prompts), 4) for name, count in counts.items()}


def contact_sheet(
    pictures: Sequence[np.ndarray], prompts: Sequence[Wording], columns: int = 6, zoom: int = 3
):
    """The pictures enlarged, each over its prompt and the judge's verdict."""
    side, foot = pictures[0].shape[0] * zoom, 44
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (side + 8), rows * (side + foot)), "white")
    pen = ImageDraw.Draw(sheet)
    for i, (picture, wording) in enumerate(zip(pictures, prompts, strict=True)):
        x, y = i % columns * (side + 8) + 4, i // columns * (side + foot) + 4
        sheet.paste(Image.fromarray(picture).resize((side, side), Image.Resampling.NEAREST), (x, y))
        pen.multiline_text((x, y + side + 1), _wrapped(wording.text, obeys(picture, wording)), fill="black")
    return sheet


def _wrapped(text: str, obeyed: bool, width: int = 34) -> str:
    lines = [""]
    for word in f"{'yes' if obeyed else 'NO'}: {text}".split():
        lines = (
            [*lines, word]
            if len(lines[-1]) + len(word) > width
            else [*lines[:-1], f"{lines[-1]} {word}".strip()]
        )
    return "\n".join(lines[:3])


def report(pipeline, count: int, steps: int, guidance: float) -> dict:
    """The judge's own figures, and obedience over `count` held-out prompts of one and of two things."""
    true, swapped = examine(count, seed=3_000_000)
    figures = {"judge": {"true renders passed": true, "swapped renders passed": swapped}, "prompts": count}
    figures |= {"steps": steps, "guidance": guidance}
    for things, name in ((1, "one thing"), (2, "two things")):
        prompts = held_out_prompts(count, things)
        pictures = paint(pipeline, prompts, steps, guidance)
        share = sum(obeys(*pair) for pair in zip(pictures, prompts, strict=True)) / count
        figures[name] = {"obedience": round(share, 4), "faults": faults(pictures, prompts)}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(chosen.model)
    pipeline.set_progress_bar_config(disable=True)
    figures = report(pipeline, chosen.count, chosen.steps, chosen.guidance)
    print(json.dumps(figures, indent=1))
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=1) + "\n")
    if chosen.sheet:
        prompts = held_out_prompts(12, 1, seed=5) + held_out_prompts(12, 2, seed=5)
        contact_sheet(paint(pipeline, prompts, chosen.steps, chosen.guidance), prompts).save(
            chosen.sheet, optimize=True
        )


if __name__ == "__main__":
    main()
