"""A picture's frequencies as the watermark's writer and finder both see them: how loud each is among its
neighbours, whatever the picture shows.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.provenance.constellation import Points

Plane = NDArray[np.float32]

SIDE: Final = 1024
"""Longest side of the middle of a picture that is looked at, in pixels: enough, and it bounds the time."""

FLOOR_REACH: Final = 8
"""Steps of the spectrum to either side that count as a frequency's neighbours."""

RING: Final = (2, 4)
"""The steps between which its close neighbours lie: a wave is over before, what a picture shows is not."""

SILENCE: Final = 0.003
"""Loudness that even an empty spectrum has: the rounding of pixels to whole levels."""

LIMIT: Final = 2.5
"""Deviations beyond which a pixel counts no more: else a few hard edges would drown everything."""

MEAN_OVER_GEOMETRIC_MEAN: Final = np.float32(1.78)
"""For the loudness of noise, which is spread exponentially: e to Euler's constant."""


def middle(plane: Plane, side: int) -> Plane:
    """At most `side` × `side` pixels round the middle."""
    top, start = (max(0, (size - side) // 2) for size in plane.shape)
    return plane[top : top + side, start : start + side]


def box_mean(plane: Plane, reach: int) -> Plane:
    """The mean of the square of 2 × reach + 1 around each place, the borders repeated."""
    width = 2 * reach + 1
    for axis in (0, 1):
        margins = [(reach + 1, reach) if each == axis else (0, 0) for each in (0, 1)]
        sums = np.cumsum(np.pad(plane, margins, mode="edge"), axis=axis, dtype=np.float64)
        last, first = (sums[width:], sums[:-width]) if axis == 0 else (sums[:, width:], sums[:, :-width])
        plane = (last - first).astype(np.float32) / np.float32(width)
    return plane


def detail(brightness: Plane, fine: int, wide: int) -> tuple[Plane, Plane]:
    """What is left without the mean of `fine` pixels around, and its deviation over `wide` pixels around."""
    left = brightness - box_mean(brightness, fine)
    return left, np.sqrt(np.maximum(box_mean(left * left, wide), 0))


def evened(left: Plane, deviation: Plane) -> tuple[Plane, Plane]:
    """Details at about the same strength everywhere, fading out to the borders; and how much they fade.

    Without the fading, the jump from each border to the opposite one would be in the spectrum.
    """
    fade = np.outer(np.hanning(left.shape[0]), np.hanning(left.shape[1])).astype(np.float32)
    fade /= np.float32(np.sqrt((fade * fade).sum()))  # so that noise of deviation 1 has a loudness of 1
    return np.clip(left / (deviation + 1), -LIMIT, LIMIT) * fade, fade


class Spectrum:
    """The loudness of every frequency, and its floor: the usual loudness around it."""

    def __init__(self, plane: Plane, finer: int = 1) -> None:
        """`finer`: how many times more frequencies than the plane has pixels along a side."""
        self._height, self._width = plane.shape[0] * finer, plane.shape[1] * finer
        waves = np.fft.rfft2(plane, s=(self._height, self._width))
        self._loudness = np.fft.fftshift(waves.real**2 + waves.imag**2, axes=0).astype(np.float32)
        near = _ring_mean(self._loudness, *(finer * reach for reach in RING))
        logarithms = box_mean(np.log(self._loudness + np.float32(1e-9)), finer * FLOOR_REACH)
        far = np.exp(logarithms) * MEAN_OVER_GEOMETRIC_MEAN  # which a few loud waves hardly raise
        self._floor = np.maximum(near, far) + np.float32(SILENCE)

    def floor(self, points: Points) -> NDArray[np.float64]:
        """The usual loudness around these frequencies; 0 for those that the plane cannot have."""
        return self._at(self._floor, points)

    def prominence(self, points: Points) -> NDArray[np.float64]:
        """Loudness over floor: about 1 where there is only noise, 0 for frequencies that it cannot have."""
        return self._at(self._loudness / self._floor, points)

    def _at(self, field: Plane, points: Points) -> NDArray[np.float64]:
        positive = points * np.where(points[..., :1] < 0, -1, 1)  # a frequency and its negative are the same
        across = np.rint(positive[..., 0] * self._width).astype(int)
        down = np.rint(positive[..., 1] * self._height).astype(int) + self._height // 2
        inside = (across < field.shape[1]) & (down >= 0) & (down < self._height)
        return np.where(inside, field[np.where(inside, down, 0), np.where(inside, across, 0)], 0.0)


def _ring_mean(plane: Plane, inner: int, outer: int) -> Plane:
    """The mean of the square of 2 × outer + 1 around each place without that of 2 × inner + 1."""
    small, large = (2 * inner + 1) ** 2, (2 * outer + 1) ** 2
    difference = box_mean(plane, outer) * np.float32(large) - box_mean(plane, inner) * np.float32(small)
    return np.maximum(difference / np.float32(large - small), 0)
