"""Where a thing is, how large, how visible and under how much of a new light, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, pi, sin

import numpy as np

from pipelines.training.motion.world import FRAMES, LIGHT, SIZE, Clip, start_of

NEAR, FAR, MIDDLE = 13.0, 51.0, 32.0  # pixels: where things may go to, and the picture's middle
LEAST, MOST = 12.0, 32.0  # pixels: what things shrink and grow to
RADIUS = 17.0  # pixels, of an orbit round the picture's middle; once round in a clip, clockwise
SPIRAL = 4  # frames in which a thing that stands elsewhere has come to its orbit
ON = 4  # frames that a blinking thing is seen, and then not seen


@dataclass(frozen=True)
class Moment:
    """One frame of a path."""

    x: float  # pixels, the middle of the thing
    y: float
    size: float  # pixels, its longer side
    seen: bool = True
    light: float = 0.0  # 0: the first background; 1: the last


def path(clip: Clip, start: tuple[float, float] | None = None, size: float | None = None) -> list[Moment]:
    """The clip's moments; `start` and `size` as in the first frame, where a picture gives them.

    What moves ends where its motion always ends, however far it has to go.
    """
    x, y = start or start_of(clip)
    share = np.linspace(0, 1, FRAMES)
    ends = {"rightwards": (FAR, y), "leftwards": (NEAR, y), "rising": (x, NEAR), "falling": (x, FAR)}
    if clip.motion in ends:
        to_x, to_y = ends[clip.motion]
        return [Moment(x + (to_x - x) * s, y + (to_y - y) * s, size or SIZE) for s in share]
    if clip.motion in ("growing", "shrinking"):
        first, last = (LEAST, MOST) if clip.motion == "growing" else (MOST, LEAST)
        first = size or first
        return [Moment(x, y, first + (last - first) * s) for s in share]
    side = size or SIZE
    if clip.motion == "orbiting":
        return [Moment(*_orbit(x, y, frame), side) for frame in range(FRAMES)]
    if clip.motion == "blinking":
        return [Moment(x, y, side, seen=frame // ON % 2 == 0) for frame in range(FRAMES)]
    if clip.motion in LIGHT:
        return [Moment(x, y, side, light=s) for s in share]
    raise ValueError(f"No motion is called {clip.motion!r}")


def _orbit(x: float, y: float, frame: int) -> tuple[float, float]:
    """Round the middle from the angle of (x, y), from its radius to RADIUS in a few frames."""
    off = hypot(x - MIDDLE, y - MIDDLE)
    radius = off + (RADIUS - off) * min(1.0, frame / SPIRAL)
    angle = (np.arctan2(y - MIDDLE, x - MIDDLE) if off > 1 else -pi / 2) + 2 * pi * frame / FRAMES
    return MIDDLE + radius * cos(angle), MIDDLE + radius * sin(angle)
