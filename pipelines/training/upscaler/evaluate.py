"""How much nearer the upscaler comes to scenes drawn large than bicubic interpolation does."""

from __future__ import annotations

import random
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from transformers import Swin2SRForImageSuperResolution

from pipelines.families._pixels import as_bytes
from pipelines.families.swin2sr import Swin2SR
from pipelines.training.figures import Z, share
from pipelines.training.scenes.vocabulary import STYLES
from pipelines.training.upscaler.drawing import SCALE, held_out_picture
from pipelines.training.upscaler.faults import faulty, reduced
from pipelines.training.upscaler.recipe import bicubic, psnr

SEED = 4_000_000  # training's pictures come from other dice
WANTED = 2.0  # dB


def evaluate(folder: Path, count: int, seed: int = 0) -> dict[str, Any]:
    """Gains in dB over bicubic interpolation on `count` held-out scenes, all styles equally often."""
    model = Swin2SRForImageSuperResolution.from_pretrained(folder).eval()
    dice = random.Random(SEED + seed)
    rows = [measured(model, STYLES[number % len(STYLES)], dice) for number in range(count)]
    clean = [row["x4"] for row in rows]
    figures: dict[str, Any] = {
        "pictures": count,
        f"pictures at least {WANTED:g} dB nearer": share(sum(gain >= WANTED for gain in clean), count),
    }
    for name in ("x4", "x2", "x4, with faults"):
        figures[f"{name}: gain over bicubic"] = mean([row[name] for row in rows])
    for style in STYLES:
        figures[f"x4, {style}: gain over bicubic"] = mean(
            [row["x4"] for row in rows if row["style"] == style]
        )
    figures["x4: bicubic, dB"] = round(float(np.mean([row["bicubic"] for row in rows])), 2)
    return figures


def measured(model: Swin2SRForImageSuperResolution, style: str, dice: random.Random) -> dict[str, Any]:
    """The gains on one scene: four times, twice, and four times from a picture with faults."""
    large = held_out_picture(dice, style)
    small = whole(reduced(large, SCALE))
    poor = whole(faulty(reduced(large, SCALE), dice))
    made, mended = as_bytes(Swin2SR(model).enlarged(np.stack([small, poor])))
    half, plain = whole(reduced(large, SCALE // 2)), psnr(bicubic(small, SCALE), large)
    return {
        "style": style,
        "bicubic": plain,
        "x4": psnr(made, large) - plain,
        "x2": psnr(whole(reduced(made, SCALE // 2)), half) - psnr(bicubic(small, 2), half),
        "x4, with faults": psnr(mended, large) - psnr(bicubic(poor, SCALE), large),
    }


def mean(gains: list[float]) -> str:
    """ "3.10 dB (2.95 to 3.25)": the mean and its 95 % interval."""
    middle, spread = float(np.mean(gains)), Z * float(np.std(gains, ddof=1)) / sqrt(len(gains))
    return f"{middle:.2f} dB ({middle - spread:.2f} to {middle + spread:.2f})"


def whole(picture: np.ndarray) -> np.ndarray:
    """Rounded to bytes."""
    return np.rint(picture).astype(np.uint8)
