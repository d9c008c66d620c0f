"""Silhouettes: each thing as an antialiased mask, drawn once a size and kept."""

from __future__ import annotations

from functools import cache
from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageDraw

from pipelines.training.scenes.vocabulary import THINGS

OVERSAMPLE = 8  # masks are drawn this many times larger, then averaged down


@cache
def mask(thing: str, size: int, scale: int = 1) -> np.ndarray:
    """Coverage of `thing` in a box of (size, size) units of `scale` pixels, float32 in 0 to 1, trimmed to
    what it covers. The cached array must not be written to."""
    if thing not in THINGS:
        raise ValueError(f"No thing is called {thing!r}; there are {', '.join(THINGS)}.")
    size *= scale
    side = size * OVERSAMPLE
    canvas = Image.new("L", (side, side), 0)
    _PAINTERS[thing](_Pen(canvas))
    coverage = np.asarray(canvas, np.float32).reshape(size, OVERSAMPLE, size, OVERSAMPLE).mean((1, 3)) / 255
    rows, columns = np.flatnonzero(coverage.max(1) > 0.05), np.flatnonzero(coverage.max(0) > 0.05)
    trimmed = coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    trimmed.setflags(write=False)
    return trimmed


class _Pen:
    """Draws in a unit square (0 to 1, y downwards), whatever the canvas's size."""

    def __init__(self, canvas: Image.Image) -> None:
        self.draw = ImageDraw.Draw(canvas)
        self.scale = canvas.width - 1

    def polygon(self, *points: tuple[float, float], ink: int = 255) -> None:
        self.draw.polygon([(x * self.scale, y * self.scale) for x, y in points], fill=ink)

    def ellipse(self, left: float, top: float, right: float, bottom: float, ink: int = 255) -> None:
        self.draw.ellipse([edge * self.scale for edge in (left, top, right, bottom)], fill=ink)

    def box(self, left: float, top: float, right: float, bottom: float, ink: int = 255) -> None:
        self.draw.rectangle([edge * self.scale for edge in (left, top, right, bottom)], fill=ink)


def _circle(pen: _Pen) -> None:
    pen.ellipse(0, 0, 1, 1)


def _square(pen: _Pen) -> None:
    pen.box(0.03, 0.03, 0.97, 0.97)


def _triangle(pen: _Pen) -> None:
    pen.polygon((0.5, 0.02), (1, 0.95), (0, 0.95))


def _star(pen: _Pen) -> None:
    radii = [0.55 if i % 2 == 0 else 0.26 for i in range(10)]
    pen.polygon(*[(0.5 + r * sin(i * pi / 5), 0.54 - r * cos(i * pi / 5)) for i, r in enumerate(radii)])


def _heart(pen: _Pen) -> None:
    pen.ellipse(0, 0.03, 0.54, 0.57)
    pen.ellipse(0.46, 0.03, 1, 0.57)
    pen.polygon((0.05, 0.44), (0.5, 0.3), (0.95, 0.44), (0.5, 0.98))


def _house(pen: _Pen) -> None:
    """A gabled roof with eaves over narrower walls, and an open door."""
    pen.polygon((0.5, 0), (1, 0.46), (0, 0.46))
    pen.box(0.14, 0.44, 0.86, 1)
    pen.box(0.4, 0.66, 0.6, 1, ink=0)


def _tree(pen: _Pen) -> None:
    """A round crown on a thin trunk."""
    pen.ellipse(0.12, 0, 0.88, 0.7)
    pen.box(0.41, 0.6, 0.59, 1)


def _sun(pen: _Pen) -> None:
    """A disc with six thick rays: rays and the gaps between them are about as wide as a latent."""
    pen.ellipse(0.2, 0.2, 0.8, 0.8)
    for i in range(6):
        angle = (i + 0.5) * pi / 3
        along, across = (cos(angle), sin(angle)), (-sin(angle), cos(angle))
        tip, root = ((0.54, -0.09), (0.54, 0.09)), ((0.2, 0.1), (0.2, -0.1))
        corners = [(r * along[0] + w * across[0], r * along[1] + w * across[1]) for r, w in (*tip, *root)]
        pen.polygon(*[(0.5 + x, 0.5 + y) for x, y in corners])


def _moon(pen: _Pen) -> None:
    """A crescent, open to the right."""
    pen.ellipse(0, 0, 1, 1)
    pen.ellipse(0.36, 0.04, 1.2, 0.88, ink=0)


def _boat(pen: _Pen) -> None:
    """A hull, with a sail that stands on it."""
    pen.polygon((0, 0.64), (1, 0.64), (0.78, 1), (0.22, 1))
    pen.polygon((0.4, 0), (0.52, 0), (0.92, 0.66), (0.4, 0.66))


def _hill(pen: _Pen) -> None:
    """A low dome with a flat foot, about half as high as wide."""
    pen.ellipse(0, 0.26, 1, 1.26)
    pen.box(-0.1, 0.76, 1.1, 1.3, ink=0)


_PAINTERS = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "heart": _heart,
    "house": _house,
    "tree": _tree,
    "sun": _sun,
    "moon": _moon,
    "boat": _boat,
    "hill": _hill,
}
