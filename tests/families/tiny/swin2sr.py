"""A Swin2SR of random weights that enlarges four times."""

from pathlib import Path

import torch
from transformers import Swin2SRConfig, Swin2SRForImageSuperResolution

from tests.families.cases import Case, Given


def save_swin2sr(folder: Path, upscale: int = 4, upsampler: str = "pixelshuffledirect") -> Path:
    """A Swin2SRForImageSuperResolution of two stages."""
    torch.manual_seed(0)
    config = Swin2SRConfig(
        embed_dim=16,
        depths=[2, 2],
        num_heads=[2, 2],
        window_size=8,
        upscale=upscale,
        upsampler=upsampler,
    )
    Swin2SRForImageSuperResolution(config).eval().save_pretrained(folder)
    return folder


CASES = [
    Case(
        name="swin2sr",
        family="swin2sr",
        save=save_swin2sr,
        inputs={"upscale": {"image": Given("image")}},
        tolerance=1 / 255,
        drawn=False,
        longer={"image": Given("large")},
    )
]
