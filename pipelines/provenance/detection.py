"""Finding the watermark in a picture that may since have been cropped, scaled, turned or compressed."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.provenance import code_word
from pipelines.provenance.constellation import BIT_POINTS, SYNC_POINTS
from pipelines.provenance.spectrum import SIDE, Spectrum, detail, evened, middle

THRESHOLD: Final = 11.0
"""Least score of a marked picture. docs/watermark.md has the scores of unmarked ones."""

SURE: Final = 6.0
"""Least part of the score that the number's own waves have, for the number to be believed."""

SMALLEST_FOUND: Final = 100
"""Shortest side of a picture that is searched, in pixels: less is left of a marked one at no scale below."""

SCALES: Final = 0.45 * np.exp(np.arange(0, math.log(2.2 / 0.45), 0.0015))
"""Factors by which a picture may have been scaled; near enough to one another for 1,024 pixels."""

TURNS: Final[tuple[NDArray[np.int64], ...]] = tuple(
    np.array(turn) for turn in ([[1, 0], [0, 1]], [[1, 0], [0, -1]], [[0, 1], [1, 0]], [[0, -1], [1, 0]])
)
"""As it was, mirrored, and both of these turned by a quarter; upside down is all the same to a frequency."""

NEAR: Final = 15
"""Scales to either side that may be the same: 2 %, the width of a wave in the smallest picture."""

CAP: Final = 3.5
"""Prominence beyond which a wave counts no more: a picture's own patterns can be loud at a few frequencies,
but not at many of ours."""

FEW_PIXELS: Final = 640
"""Pictures up to this longest side are looked at in twice as many frequencies: theirs lie too far apart."""

LEAST_SPREAD: Final = 0.85
"""Least deviation of prominence that a picture is taken to have: a flat one would make much of nothing."""


@dataclass(frozen=True)
class Mark:
    """A watermark, or what looks most like one."""

    score: float
    """How far the waves stand out of the picture, in deviations: of those that all marks have, and of those
    that tell the number, added up."""
    scale: float
    """The factor by which the picture has been scaled since."""
    number: int | None
    """The deployment's number; None when too much of it is lost."""


def find(picture: Image.Image) -> Mark | None:
    """The mark in this picture, or None."""
    if min(picture.size) < SMALLEST_FOUND:
        return None
    best = likeliest(picture)
    return best if best.score >= THRESHOLD else None


def likeliest(picture: Image.Image) -> Mark:
    """What looks most like a mark, however little."""
    brightness = middle(np.asarray(picture.convert("L"), np.float32), SIDE)
    seen, _ = evened(*detail(brightness, 4, 8))
    spectrum = Spectrum(seen, finer=2 if max(seen.shape) <= FEW_PIXELS else 1)
    return max((_at_best_scale(spectrum, turn) for turn in TURNS), key=lambda mark: mark.score)


def _at_best_scale(spectrum: Spectrum, turn: NDArray[np.int64]) -> Mark:
    whole = spectrum.prominence((SYNC_POINTS @ turn)[None] / SCALES[:, None, None])
    found = np.minimum(whole, CAP)
    usual, spread = float(found.mean()), max(float(found.std()), LEAST_SPREAD)
    scores = (found.sum(axis=1) - usual * len(SYNC_POINTS)) / (spread * math.sqrt(len(SYNC_POINTS)))
    best = int(np.argmax(scores))
    scale = _sharpest(whole.sum(axis=1), best)
    bits = np.minimum(spectrum.prominence((BIT_POINTS @ turn) / scale), CAP)
    number, agreement = code_word.decode(bits[:, 1] - bits[:, 0])
    told = agreement / (spread * math.sqrt(2 * len(bits)))
    return Mark(float(scores[best]) + told, scale, number if told >= SURE else None)


def _sharpest(loudness: NDArray[np.float64], best: int) -> float:
    """The scale near the best one at which the waves are loudest: around it, many reach the cap."""
    first = max(0, best - NEAR)
    return float(SCALES[first + int(np.argmax(loudness[first : best + NEAR + 1]))])
