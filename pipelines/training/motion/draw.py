"""Draws a clip: the scenes' silhouettes, at places between pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.training.motion.paths import Moment
from pipelines.training.motion.world import Clip
from pipelines.training.scenes import shapes
from pipelines.training.scenes.styles import compose
from pipelines.training.scenes.vocabulary import SIDE


def draw(clip: Clip, moments: Sequence[Moment], seed: int = 0) -> np.ndarray:
    """The clip, (frames, SIDE, SIDE, 3) uint8 RGB; the seed decides what a style leaves to chance."""
    return np.stack([_frame(clip, moment, seed) for moment in moments])


def coverage(clip: Clip, moment: Moment) -> np.ndarray:
    """(SIDE, SIDE) of 0 to 1: how much of each pixel the thing covers, whether it is seen or not."""
    mask = shapes.mask(clip.name, round(moment.size))
    height, width = mask.shape
    top = min(max(moment.y - (height - 1) / 2, 1.0), SIDE - height - 2.0)
    left = min(max(moment.x - (width - 1) / 2, 1.0), SIDE - width - 2.0)
    whole = np.zeros((SIDE, SIDE), np.float32)
    row, column = int(top), int(left)
    down, right = top - row, left - column  # parts of a pixel
    for dy, weight_y in ((0, 1 - down), (1, down)):
        for dx, weight_x in ((0, 1 - right), (1, right)):
            window = whole[row + dy : row + dy + height, column + dx : column + dx + width]
            window += mask * (weight_y * weight_x)
    return whole


def _frame(clip: Clip, moment: Moment, seed: int) -> np.ndarray:
    layers = [(coverage(clip, moment) * moment.seen, clip.colour)]
    picture = compose(clip.background, layers, clip.style, seed)
    if moment.light:
        after = compose(clip.ends_on, layers, clip.style, seed)
        picture = picture + (after - picture) * moment.light
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
