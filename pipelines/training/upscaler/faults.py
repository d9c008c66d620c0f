"""Reduces pictures, and gives small ones the faults that a decoded picture has."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image

SOFTEST = 0.8  # pixels: standard deviation of the blur
UNEVEN = 3.0  # of 255: largest slow drift of a colour
GRAIN = 2.0  # of 255: largest standard deviation of the noise


def reduced(picture: np.ndarray, factor: int) -> np.ndarray:
    """(..., H, W, 3) as (..., H / factor, W / factor, 3) float32, each the mean of its pixels."""
    height, width = (side // factor for side in picture.shape[-3:-1])
    blocks = picture.reshape(*picture.shape[:-3], height, factor, width, factor, picture.shape[-1])
    return blocks.mean((-4, -2), dtype=np.float32)


def faulty(small: np.ndarray, dice: random.Random) -> np.ndarray:
    """(H, W, 3) of 0 to 255 as an autoencoder gives it back: a bit soft, uneven and grainy, or not at all."""
    noise = np.random.default_rng(dice.getrandbits(64))
    if dice.random() < 0.5:
        small = _soft(small, dice.uniform(0.2, SOFTEST))
    if dice.random() < 0.5:
        small = small + _drift(small.shape[:2], noise) * dice.uniform(0, UNEVEN)
    if dice.random() < 0.5:
        small = small + noise.normal(0, dice.uniform(0, GRAIN), small.shape)
    return np.clip(small, 0, 255).astype(np.float32)


def _soft(small: np.ndarray, deviation: float) -> np.ndarray:
    """Blurred by a Gaussian of five pixels, edges repeated."""
    kernel = np.exp(-0.5 * (np.arange(-2, 3) / deviation) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        padded = np.pad(small, [(2, 2) if each == axis else (0, 0) for each in range(3)], mode="edge")
        size = small.shape[axis]
        small = sum(k * padded.take(range(i, i + size), axis) for i, k in enumerate(kernel))
    return small


def _drift(size: tuple[int, int], noise: np.random.Generator) -> np.ndarray:
    """(H, W, 3) of −1 to 1 that changes slowly."""
    coarse = noise.uniform(-1, 1, (5, 5, 3)).astype(np.float32)
    planes = [
        np.asarray(Image.fromarray(coarse[..., i]).resize(size[::-1], Image.Resampling.BICUBIC))
        for i in range(3)
    ]
    return np.stack(planes, -1)
