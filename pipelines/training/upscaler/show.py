"""Draws the contact sheets of the card.

python -m pipelines.training.upscaler.show pipelines/house/upscaler pipelines/house/scenes docs/models
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import Swin2SRForImageSuperResolution

from pipelines.training.pictures import sheet
from pipelines.training.scenes.vocabulary import STYLES
from pipelines.training.upscaler.drawing import SCALE, held_out_picture
from pipelines.training.upscaler.evaluate import whole
from pipelines.training.upscaler.faults import reduced
from pipelines.training.upscaler.recipe import bicubic, enlarged, psnr

SEED = 6_000_000  # neither training's nor the figure's
PROMPTS = (
    "a red house on the left, day",
    "a yellow star at night, pencil",
    "a green tree on a white background, watercolour",
    "a blue boat at sea, pixel art",
    "a pink heart on a black background, neon",
)


def held_out(model: Swin2SRForImageSuperResolution, path: Path) -> None:
    """Held-out scenes, a row a style: small, by bicubic interpolation, by the model, as drawn."""
    dice = random.Random(SEED)
    pictures, captions = [], []
    for style in STYLES:
        large = held_out_picture(dice, style)
        small = whole(reduced(large, SCALE))
        plain, made = bicubic(small, SCALE), enlarged(model, small)
        pictures += [blocks(small), plain, made, large]
        captions += [
            style,
            f"bicubic {psnr(plain, large):.1f} dB",
            f"upscaler {psnr(made, large):.1f} dB",
            "drawn",
        ]
    sheet(pictures, captions, path, columns=4, zoom=1, lines=1)


def made_by(scenes: Path, model: Swin2SRForImageSuperResolution, path: Path) -> None:
    """Pictures that the scenes model makes: as they are, by bicubic interpolation, by the model."""
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(scenes)
    pipeline.set_progress_bar_config(disable=True)
    noise = [torch.Generator().manual_seed(SEED + number) for number in range(len(PROMPTS))]
    given = pipeline(
        list(PROMPTS), num_inference_steps=20, guidance_scale=4.0, generator=noise, output_type="np"
    ).images
    pictures, captions = [], []
    for prompt, small in zip(PROMPTS, whole(255 * given), strict=True):
        pictures += [blocks(small), bicubic(small, SCALE), enlarged(model, small)]
        captions += [prompt, "bicubic", "upscaler"]
    sheet(pictures, captions, path, columns=3, zoom=1, lines=1)


def blocks(small: np.ndarray) -> Image.Image:
    """The picture as large as the others, pixel for pixel."""
    height, width = small.shape[:2]
    return Image.fromarray(small).resize((SCALE * width, SCALE * height), Image.Resampling.NEAREST)


def main(upscaler: Path, scenes: Path, pages: Path) -> None:
    model = Swin2SRForImageSuperResolution.from_pretrained(upscaler).eval()
    held_out(model, pages / "upscaler-held-out.png")
    made_by(scenes, model, pages / "upscaler-scenes.png")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(*map(Path, sys.argv[1:4]))
