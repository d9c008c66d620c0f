"""Draws a scene: background, then each thing's silhouette in its colour."""

from __future__ import annotations

import random

import numpy as np

from pipelines.training.scenes import shapes
from pipelines.training.scenes.vocabulary import COLOURS, PLACE_JITTER, PLACES, SIDE, Scene, background_pixels


def draw(scene: Scene, seed: int) -> np.ndarray:
    """The scene as (SIDE, SIDE, 3) uint8 RGB. The seed moves things a little and tints the light a little."""
    dice = random.Random(seed)
    picture = background_pixels(scene.background).copy()
    for thing in scene.things:
        x, y = (at + dice.randint(-PLACE_JITTER, PLACE_JITTER) for at in PLACES[thing.place])
        _paste(picture, shapes.mask(thing.name, thing.size), COLOURS[thing.colour], x, y)
    light = np.array([dice.uniform(-2, 2) for _ in range(3)], np.float32)
    return np.clip(np.rint(picture + light), 0, 255).astype(np.uint8)


def _paste(picture: np.ndarray, coverage: np.ndarray, colour: tuple[int, int, int], x: int, y: int) -> None:
    """Blend `colour` in, the middle of the coverage's box at (x, y), kept wholly inside the picture."""
    height, width = coverage.shape
    top = min(max(y - height // 2, 1), SIDE - height - 1)
    left = min(max(x - width // 2, 1), SIDE - width - 1)
    window = picture[top : top + height, left : left + width]
    window += coverage[..., None] * (np.array(colour, np.float32) - window)
