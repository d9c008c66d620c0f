"""Draws a scene: each thing's silhouette at its place, then all of it in the scene's style."""

from __future__ import annotations

import random

import numpy as np

from pipelines.training.scenes import shapes
from pipelines.training.scenes.styles import BLOCK, compose
from pipelines.training.scenes.vocabulary import PLACE_JITTER, PLACES, SIDE, Scene


def draw(scene: Scene, seed: int, scale: int = 1) -> np.ndarray:
    """The scene as (SIDE * scale, SIDE * scale, 3) uint8 RGB, the same picture at every scale.

    The seed moves things a little, tints the light a little, and decides what a style leaves to chance.
    """
    dice = random.Random(seed)
    layers = []
    for thing in scene.things:
        x, y = (at + dice.randint(-PLACE_JITTER, PLACE_JITTER) for at in PLACES[thing.place])
        size, grid = (
            (thing.size + thing.size % BLOCK, BLOCK) if scene.style == "pixel art" else (thing.size, 1)
        )
        layers.append((placed(shapes.mask(thing.name, size, scale), x, y, scale, grid), thing.colour))
    picture = compose(scene.background, layers, scene.style, seed)
    light = np.array([dice.uniform(-2, 2) for _ in range(3)], np.float32)
    return np.clip(np.rint(picture + light), 0, 255).astype(np.uint8)


def placed(coverage: np.ndarray, x: int, y: int, scale: int = 1, grid: int = 1) -> np.ndarray:
    """The silhouette alone in a whole picture (SIDE * scale, SIDE * scale), the middle of its box at (x, y)
    in units, kept wholly inside; its corner lies on a grid of so many units."""
    side = SIDE * scale
    whole = np.zeros((side, side), np.float32)
    height, width = coverage.shape
    top, left = (
        min(max(at * scale - extent // 2, scale), side - extent - scale) // (grid * scale) * grid * scale
        for at, extent in ((y, height), (x, width))
    )
    whole[top : top + height, left : left + width] = coverage
    return whole
