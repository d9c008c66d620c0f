"""Sums of sine waves, each with a level and a bend of its own that change with time: all tones are made so.

Within a block of samples a partial is a fixed sine wave times a parabola, which is exact to about one part in
a thousand. The sum over all partials is then one product of two matrices, which is what computers do best.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]
Wave = NDArray[np.float32]
Complex = NDArray[np.complex64]

BLOCK = 64
"""Samples between two points of a level or a bend, between which it goes straight."""


def points(samples: int) -> int:
    """How many points a curve over that many samples has: both ends of each block."""
    return -(-samples // BLOCK) + 1


def times(count: int, rate: int) -> Wave:
    """The times of `count` points, in seconds."""
    return (np.arange(count) * (BLOCK / rate)).astype(np.float32)


def summed(hertz: Numbers, levels: Numbers, phases: Numbers, rate: int, bends: Numbers | None = None) -> Wave:
    """The sum of the partials, ((points − 1) × BLOCK samples).

    `hertz`, `phases` (radians): (partials,). `levels`: (points, partials). `bends`: (points, partials or 1),
    by how much of itself each frequency is higher at that time.
    """
    step = 2 * np.pi * np.asarray(hertz, np.float64) / rate
    blocks = np.arange(len(levels) - 1)[:, None] + (0 if bends is None else _passed(bends))
    turned = _turning(phases + step * (blocks * BLOCK))
    levels = np.asarray(levels, np.float32)
    curves = _straight(levels) if bends is None else _bent(step, levels, bends)
    left = np.concatenate([part for curve in curves for part in _parts(curve * turned)], axis=1)
    wave: Wave = (left @ _waves(step, len(curves))).reshape(-1)
    return wave


def _straight(levels: Wave) -> list[Any]:
    """The parabolas of unbent partials, by power of the time within the block (0 to 1)."""
    return [levels[:-1], np.diff(levels, axis=0)]


def _bent(step: Numbers, levels: Wave, bends: Numbers) -> list[Any]:
    """The same where frequencies move: exp(i x) as 1 + i x − x² / 2 for the small angle x that they add."""
    turns = (step * BLOCK).astype(np.float32)
    level, rise = _straight(levels)
    angle = turns * np.asarray(bends[:-1], np.float32)
    curve = turns * np.diff(bends, axis=0).astype(np.float32) / 2
    first = rise + 1j * (level * angle)
    second = level * (1j * curve - angle**2 / 2) + 1j * (rise * angle)
    return [level, first, second]


def _passed(bends: Numbers) -> Numbers:
    """How many blocks' worth of bend have passed before each block."""
    means = (bends[:-1] + bends[1:]) / 2
    return np.cumsum(means, axis=0, dtype=np.float64) - means


def _turning(angles: Numbers) -> Complex:
    """exp(i angle) in single precision, of angles that are too large for it."""
    small = (angles - 2 * np.pi * np.rint(angles / (2 * np.pi))).astype(np.float32)
    turned = np.empty(small.shape, np.complex64)
    turned.real, turned.imag = np.cos(small), np.sin(small)
    return turned


def _parts(numbers: Complex) -> tuple[Wave, Wave]:
    return numbers.real, numbers.imag


def _waves(step: Numbers, powers: int) -> Wave:
    """Cosines, then minus sines, of one block, for each power of the time within it."""
    at = np.arange(BLOCK)
    turning = _turning(step[:, None] * at)
    rows = [turning * (at / BLOCK).astype(np.float32) ** power for power in range(powers)]
    return np.concatenate([part for row in rows for part in (row.real, -row.imag)])
