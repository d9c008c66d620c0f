"""Moving pictures for the card: what the model makes, a clip a motion, with the judge's verdict.

python -m pipelines.training.motion.gifs pipelines/house/motion docs/models
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipelines.training.motion.evaluate import Maker, held_out, pictured
from pipelines.training.motion.judge import faults, watch
from pipelines.training.motion.world import FPS, FRAMES, MOTIONS, random_clip

ZOOM, COLUMNS, FOOT, LETTERS = 2, 5, 44, 21


def gif(clips: Sequence[np.ndarray], words: Sequence[str], path: Path) -> None:
    """Clips side by side, each over its words."""
    side = clips[0].shape[1] * ZOOM
    rows, font = -(-len(clips) // COLUMNS), ImageFont.load_default(10)
    pages = []
    for frame in range(FRAMES):
        page = Image.new("RGB", (COLUMNS * (side + 6), rows * (side + FOOT)), "white")
        pen = ImageDraw.Draw(page)
        for i, (clip, said) in enumerate(zip(clips, words, strict=True)):
            x, y = i % COLUMNS * (side + 6) + 3, i // COLUMNS * (side + FOOT) + 2
            large = Image.fromarray(clip[frame]).resize((side, side), Image.Resampling.NEAREST)
            page.paste(large, (x, y))
            pen.multiline_text((x, y + side + 1), _wrapped(said), fill="black", font=font)
        pages.append(page)
    pages[0].save(path, save_all=True, append_images=pages[1:], duration=1000 // FPS, loop=0, optimize=True)


def _wrapped(words: str) -> str:
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) > LETTERS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines[:3])


def main(folder: Path, out: Path) -> None:
    maker, dice = Maker(folder), random.Random(21)
    asked = held_out(len(MOTIONS), seed=9)
    clips = maker.clips([wording.text for _, wording in asked])
    verdicts = ["NO" if faults(watch(c), w) else "yes" for c, (_, w) in zip(clips, asked, strict=True)]
    told = [f"{verdict}: {w.text}" for verdict, (_, w) in zip(verdicts, asked, strict=True)]
    gif(clips, told, out / "motion-clips.gif")
    shown = [random_clip(dice, held_out=True, motion=motion) for motion in MOTIONS[::2]]
    pictures, said = pictured(shown, dice)
    moved = maker.moved(pictures, [wording.text for wording in said])
    verdicts = ["NO" if faults(watch(c), w) else "yes" for c, w in zip(moved, said, strict=True)]
    told = [f"{verdict}: {w.text}" for verdict, w in zip(verdicts, said, strict=True)]
    gif(moved, told, out / "motion-pictures.gif")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
