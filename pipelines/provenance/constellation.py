"""Where the watermark's waves lie among the frequencies of a picture; the same for everybody, for ever."""

import hashlib
import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""Frequencies (fx, fy) in cycles a pixel; the last axis has the two. fx > 0, fy has both signs."""

SYNC: Final = 24
"""Waves that are in every marked picture, by which the mark is found."""

BITS: Final = 32
"""Bits of the code word that tells the deployment; each has two places, one for 0 and one for 1."""

LOWEST, HIGHEST = 0.07, 0.21
"""Cycles a pixel. Lower waves are seen; higher ones are the first that JPEG and scaling down take away."""

OFF_AXIS = 9.0
"""Degrees to either axis that are left free: upright edges, text and JPEG's blocks are loud there."""

APART = 0.019
"""Least distance of two waves, in cycles a pixel: more than four steps of the spectrum of 230 pixels."""


def _numbers(seed: str) -> Iterator[float]:
    """Endless numbers in 0..1: by a hash, since numpy may change its generators."""
    count = 0
    while True:
        digest = hashlib.sha256(f"{seed} {count}".encode()).digest()
        yield from (int.from_bytes(digest[at : at + 4], "big") / 2**32 for at in range(0, 32, 4))
        count += 1


def _scatter(wanted: int) -> Points:
    """Points all over the half ring between LOWEST and HIGHEST; every other one has fy < 0."""
    dice = _numbers("atelier watermark 1, places")
    points: list[tuple[float, float]] = []
    while len(points) < wanted:
        radius = math.sqrt(LOWEST**2 + next(dice) * (HIGHEST**2 - LOWEST**2))
        angle = math.radians(OFF_AXIS + next(dice) * (90 - 2 * OFF_AXIS))
        side = -1 if len(points) % 2 else 1
        point = radius * math.cos(angle), side * radius * math.sin(angle)
        if all(math.dist(point, other) >= APART for other in points):
            points.append(point)
    return np.array(points)


_POINTS = _scatter(SYNC + 2 * BITS)

SYNC_POINTS: Final[Points] = _POINTS[:SYNC]
BIT_POINTS: Final[Points] = _POINTS[SYNC:].reshape(BITS, 2, 2)
"""By bit, then by its value."""
