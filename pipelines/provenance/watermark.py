"""An invisible watermark in a picture's brightness: 56 faint waves at known frequencies.

24 are the same in every picture: they say that Atelier made it, and by how much it has been scaled since.
32 say by their places which deployment did (`code_word`). Cropping only moves waves, which does not change
how loud they are; scaling multiplies all their frequencies by one factor, which the finder tries out
(`detection`).

After J. J. K. Ó Ruanaidh and T. Pun, "Rotation, scale and translation invariant spread spectrum digital
image watermarking" (1998), and S. Pereira and T. Pun, "Robust template matching for affine resistant image
watermarks" (2000); phases and strengths fit the picture, as in M. L. Miller, I. J. Cox and J. A. Bloom,
"Informed embedding: exploiting image and detector information during watermark insertion" (2000). The code
is this project's own.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.provenance import code_word
from pipelines.provenance.constellation import BIT_POINTS, BITS, SYNC, SYNC_POINTS, Points
from pipelines.provenance.spectrum import SIDE, Plane, Spectrum, detail, evened, middle

SMALLEST: Final = 256
"""Shortest side of a picture that is marked, in pixels; smaller ones have no room."""

FLAT, BUSY, MOST = 1.0, 0.25, 5.0
"""Deviation of the mark in levels of 255: where the picture is flat, how much more for each level of the
picture's own deviation (which hides the mark), and at most."""

LEAST_PSNR: Final = 40.15
"""dB between a picture and its marked self, at least: a louder mark is made fainter everywhere."""

ROOM: Final = 255**2 / 10 ** (LEAST_PSNR / 10)
"""The same as a mean square of levels."""

BIT_SHARES: Final = (0.8, 0.5, 0.25, 0.0)
"""Strength of a wave that tells a bit, beside one that all marks have: the first by which those are AMPLE. In
a picture with little room the number goes first."""

AMPLE: Final = 2.0
"""Strength of a wave that will still stand out after an edit, beside that of the picture around it."""

LEAST_SHARE: Final = 0.35
"""Least strength of a wave, beside one at whose frequency the picture has nothing: where the picture is loud
enough by itself, an edit may take that away."""

MOST_SHARE: Final = 2.0
"""Most strength of a wave, beside the mean of all: a single loud one would be seen as stripes."""

Pixels = NDArray[np.uint8]
Strengths = NDArray[np.float64]
Waves = NDArray[np.complex128]
"""Strength and phase of waves, the phase at the picture's first pixel."""


def embed(picture: Image.Image, number: int) -> Image.Image:
    """The RGB picture with the mark of deployment `number`; one that is too small comes back as it is."""
    if min(picture.size) < SMALLEST:
        return picture
    half = np.asarray(picture.convert("L").reduce(2), np.float32)  # has all the frequencies of the waves
    left, deviation = detail(half, 2, 4)
    loudness = np.clip(FLAT + BUSY * deviation, FLAT, MOST)
    points = np.concatenate([SYNC_POINTS, BIT_POINTS[np.arange(BITS), code_word.encode(number)]])
    mark = _drawn(picture.size, points, _fitting(left, deviation, loudness, points))
    mark *= np.asarray(Image.fromarray(loudness).resize(picture.size, Image.Resampling.BILINEAR))
    return Image.fromarray(_added(np.asarray(picture), mark))


def _added(pixels: Pixels, mark: Plane) -> Pixels:
    """The pixels with the mark, as loud as it is, or as `LEAST_PSNR` lets it be."""
    while True:
        marked: Pixels = np.clip(pixels + np.rint(mark).astype(np.int16)[..., None], 0, 255).astype(np.uint8)
        change = marked.astype(np.float32) - pixels  # what black and white cut off is no change
        excess = float(np.mean(np.square(change))) / ROOM
        if excess <= 1:
            return marked
        mark = mark / np.float32(math.sqrt(excess) * 1.002)


def _fitting(left: Plane, deviation: Plane, loudness: Plane, points: Points) -> Waves:
    """The waves of a mark of deviation 1 (before `loudness`), for a picture of twice this resolution.

    Each wave goes along with what the picture has at its frequency, so that the two add up, and gets what it
    lacks to be as prominent as the others.
    """
    seen, fade = evened(middle(left, SIDE // 2), middle(deviation, SIDE // 2))
    there = _heard(seen, left.shape, points)
    carried = float((fade * middle(loudness / (deviation + 1), SIDE // 2)).sum()) / 2
    carried *= min(1, math.sqrt(ROOM / float(np.mean(np.square(loudness)))))  # as `_added` will have it
    floor = np.sqrt(Spectrum(seen).floor(points * 2))
    for share in BIT_SHARES:
        shares = np.where(np.arange(len(points)) < SYNC, 1.0, share)
        multiple, added = _filled_up(shares * floor, np.abs(there), carried)
        if multiple >= AMPLE:
            break
    waves: Waves = added / carried * np.exp(1j * np.angle(there))
    return waves


def _heard(seen: Plane, whole: tuple[int, ...], points: Points) -> Waves:
    """What a picture has at these frequencies, by the middle (`seen`) of its half resolution (`whole`: height
    and width of that)."""
    down, across = (
        np.exp(-2j * np.pi * np.outer(frequencies, 2 * (np.arange(part) + (all_ - part) // 2) + 0.5))
        for frequencies, part, all_ in zip(points.T[::-1], seen.shape, whole, strict=True)
    )
    heard: Waves = ((down.astype(np.complex64) @ seen) * across).sum(axis=1)
    return heard


def _filled_up(wanted: Strengths, there: Strengths, deviation: float) -> tuple[float, Strengths]:
    """The largest multiple of `wanted` to which a mark of this deviation can raise what is there, and what
    each wave has to add for it."""
    most = MOST_SHARE * deviation * math.sqrt(2 / len(wanted))
    low, high = 0.0, 1e6
    for _ in range(50):
        multiple = (low + high) / 2
        added = np.maximum(multiple * wanted - there, multiple * wanted * LEAST_SHARE)
        added = np.minimum(added, most)
        low, high = (multiple, high) if float((added**2).sum()) / 2 < deviation**2 else (low, multiple)
    return multiple, added


def _drawn(size: tuple[int, int], points: Points, waves: Waves) -> Plane:
    """The sum of the waves over a picture of `size`, as one product of matrices."""
    down = np.exp(2j * np.pi * np.outer(np.arange(size[1]), points[:, 1])) * waves
    across = np.exp(2j * np.pi * np.outer(np.arange(size[0]), points[:, 0]))
    rows = np.concatenate([down.real, -down.imag], axis=1).astype(np.float32)
    columns = np.concatenate([across.real, across.imag], axis=1).astype(np.float32)
    return rows @ columns.T
