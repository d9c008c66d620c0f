"""The five styles: how a background and silhouettes become pixels, each in its own hand.

Everything is laid out in units of a sixty-fourth of the picture's side, so that a picture of `scale` 2 or 4
is the same picture drawn finer. Textures repeat every eight units, two latents: the denoiser then meets
few phases of each. (Four units would be every latent alike, from which the decoder, all of convolutions and
doublings, can only make an even field.)

Each style bears a mark everywhere, not only on its things: pencil hatches, watercolour leaves a margin of
paper, pixel art is dotted, neon lies on a dark grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from pipelines.training.scenes.vocabulary import (
    COLOURS,
    NEON_FIELD,
    NEON_GRID,
    NEON_GROUND,
    SIDE,
    background_pixels,
    tube,
)

Layer = tuple[np.ndarray, str]  # coverage (H, W) in 0 to 1 of the whole picture, and the colour's name

DRAWING_PAPER = np.array((246, 243, 236), np.float32)
RAG_PAPER = np.array((252, 240, 212), np.float32)  # the watercolour's
PERIOD = 8  # units across or down from one stroke, dot or line to the next
BLOCK = 2  # units: a pixel of pixel art
DOT, DOT_SHADE = 4, 0.62  # units: the side of a dot of pixel art's backgrounds; and how dark it is
SOLID = 0.45  # of a block must be covered to be filled
THING_PRESSED = 0.8  # share of ink between the strokes of a thing; the background has less
MARGIN = 3.2  # units of paper around a wash


def compose(background: str, layers: Sequence[Layer], style: str = "flat", seed: int = 0) -> np.ndarray:
    """The layers over the background, (H, W, 3) float32 in 0 to 255; H is SIDE times a whole number.

    The seed moves what a hand leaves to chance: the watercolour's washes. Without layers H is SIDE.
    """
    height = layers[0][0].shape[0] if layers else SIDE
    return _PAINTERS[style](Canvas(background, height // SIDE, seed), layers)


@dataclass(frozen=True)
class Canvas:
    """What a painter starts from."""

    background: str
    scale: int  # pixels a unit
    seed: int
    wash: float | None = None  # the same everywhere, -1 to 1, rather than what the seed gives

    @property
    def ground(self) -> np.ndarray:
        """The plain background, (H, W, 3), a fresh copy."""
        return background_pixels(self.background, self.scale).copy()

    @property
    def at(self) -> tuple[np.ndarray, np.ndarray]:
        """x (1, H) and y (H, 1) of the pixels' middles, in units."""
        line = (np.arange(SIDE * self.scale, dtype=np.float32) + 0.5) / self.scale
        return line[None, :], line[:, None]


def ink(colour: str) -> np.ndarray:
    return np.array(COLOURS[colour], np.float32)


def shade(colour: np.ndarray, share: float = 0.78) -> np.ndarray:
    """A darker tone; of what is nearly black, the night too, a lighter one, since black has no shadow."""
    dark = (colour @ np.array((0.3, 0.6, 0.1), np.float32) < 50)[..., None]
    return np.where(dark, colour + 34, colour * share).astype(np.float32)


def _flat(canvas: Canvas, layers: Sequence[Layer]) -> np.ndarray:
    """Cut paper: plain colours, smooth edges."""
    picture = canvas.ground
    for coverage, colour in layers:
        _lay(picture, coverage, ink(colour))
    return picture


def _pencil(canvas: Canvas, layers: Sequence[Layer]) -> np.ndarray:
    """Coloured pencil: strokes on paper, one way for the background, the other for things, and an outline."""
    x, y = canvas.at
    picture = _hatched(canvas.ground, x - y)
    for coverage, colour in layers:
        flat = np.broadcast_to(ink(colour), picture.shape)
        _lay(picture, coverage, _hatched(flat, x + y, pressed=THING_PRESSED))
        outline = np.clip(coverage - _shrunk(coverage, canvas.scale), 0, 1)
        _lay(picture, outline, shade(ink(colour), 0.7))
    return picture


def _hatched(colour: np.ndarray, along: np.ndarray, pressed: float = 0.62) -> np.ndarray:
    """Strokes in a darker tone, and between them the paper shining through."""
    stroke = (0.5 + 0.5 * np.cos(along * (2 * np.pi / PERIOD)))[..., None]
    gap = DRAWING_PAPER + pressed * (colour - DRAWING_PAPER)
    return gap + stroke * (shade(colour, 0.85) - gap)


def _watercolour(canvas: Canvas, layers: Sequence[Layer]) -> np.ndarray:
    """Washes: paper shows at the margin and through the pigment, which gathers darker along edges."""
    wash = _clouds(canvas)
    x, y = canvas.at
    wobble = 0.7 * np.sin(x * 0.55 + canvas.seed % 7) + 0.7 * np.sin(y * 0.6 + canvas.seed % 5)
    inside = np.minimum(np.minimum(x, SIDE - x), np.minimum(y, SIDE - y)) + 0.5 * wobble
    frame = np.clip(inside - MARGIN + 0.5, 0, 1)
    picture = np.broadcast_to(RAG_PAPER, (*frame.shape, 3)).copy()
    ground = canvas.ground
    _lay(picture, frame * (0.68 + 0.1 * wash), ground)
    _lay(picture, 0.7 * frame * np.clip(MARGIN + 2 - inside, 0, 1), shade(ground))
    for coverage, colour in layers:
        soft = 0.5 * (coverage + _blurred(coverage, canvas.scale))
        body = np.clip((soft - 0.5) * 1.6 + 0.5 + 0.12 * wash * _edge(soft), 0, 1)
        core = _blurred(_shrunk(body, canvas.scale), canvas.scale)
        _lay(picture, body, RAG_PAPER + (0.8 + 0.1 * wash)[..., None] * (ink(colour) - RAG_PAPER))
        _lay(picture, 0.75 * np.clip(body - core, 0, 1), shade(ink(colour), 0.7))
    return picture


def _clouds(canvas: Canvas) -> np.ndarray:
    """(H, W) in -1 to 1: three slow waves whose directions and phases the seed decides."""
    x, y = canvas.at
    if canvas.wash is not None:
        return np.full((y.shape[0], x.shape[1]), canvas.wash, np.float32)
    dice = np.random.default_rng(canvas.seed)
    total = np.zeros((y.shape[0], x.shape[1]), np.float32)
    for _ in range(3):
        angle, phase = dice.uniform(0, 2 * np.pi, 2)
        pace = dice.uniform(0.1, 0.3)  # radians a unit
        total += np.sin((x * np.cos(angle) + y * np.sin(angle)) * pace + phase, dtype=np.float32)
    return total / 3


def _pixel_art(canvas: Canvas, layers: Sequence[Layer]) -> np.ndarray:
    """Blocks of two units: banded and dotted backgrounds, hard steps, a shadow below and to the right."""
    bands = background_pixels(canvas.background)[4::8].repeat(8 // BLOCK, 0)[:, ::BLOCK]
    row, column = np.indices(bands.shape[:2])
    dots = (row * BLOCK % PERIOD < DOT) & (column * BLOCK % PERIOD < DOT)
    picture = np.where(dots[..., None], shade(bands, DOT_SHADE), bands)
    for coverage, colour in layers:
        solid = np.pad(_halved(coverage, BLOCK * canvas.scale) >= SOLID, ((0, 1), (0, 1)))
        edge = solid[:-1, :-1] & ~(solid[1:, :-1] & solid[:-1, 1:])
        picture[solid[:-1, :-1]] = ink(colour)
        picture[edge] = shade(ink(colour))
    return picture.repeat(BLOCK * canvas.scale, 0).repeat(BLOCK * canvas.scale, 1).astype(np.float32)


def _neon(canvas: Canvas, layers: Sequence[Layer]) -> np.ndarray:
    """Glowing tubes around dimmer fields, over a darkened background with a grid."""
    x, y = canvas.at
    picture = canvas.ground * NEON_GROUND
    lines = np.maximum(*(((at + 2) % PERIOD < 1).astype(np.float32) for at in np.broadcast_arrays(x, y)))
    picture += NEON_GRID * lines[..., None]
    for coverage, colour in layers:
        glow = _blurred(_blurred(_blurred(coverage, canvas.scale), canvas.scale), canvas.scale)
        _lay(picture, 0.5 * glow, tube(ink(colour)))
        _lay(picture, coverage, NEON_FIELD * ink(colour))
        _lay(picture, np.clip(1.3 * (coverage - _shrunk(coverage, canvas.scale)), 0, 1), tube(ink(colour)))
    return picture


def _lay(picture: np.ndarray, coverage: np.ndarray, colour: np.ndarray) -> None:
    """Blends in place."""
    picture += coverage[..., None] * (colour - picture)


def _around(flags: np.ndarray, radius: int) -> list[np.ndarray]:
    """The picture moved by every step of up to `radius` pixels across, then down, edges repeated."""
    return [np.roll(flags, step, 1) for step in range(-radius, radius + 1)]


def _shrunk(coverage: np.ndarray, radius: int) -> np.ndarray:
    """The least coverage within `radius` pixels across and down."""
    across = np.minimum.reduce(_around(coverage, radius))
    return np.minimum.reduce(_around(across.T, radius)).T


def _blurred(coverage: np.ndarray, radius: int) -> np.ndarray:
    """The mean coverage within `radius` pixels across and down."""
    across = np.mean(_around(coverage, radius), 0, dtype=np.float32)
    return np.mean(_around(across.T, radius), 0, dtype=np.float32).T


def _edge(coverage: np.ndarray) -> np.ndarray:
    """1 where a silhouette ends, 0 inside and outside it."""
    return 4 * coverage * (1 - coverage)


def _halved(picture: np.ndarray, by: int) -> np.ndarray:
    """Means of squares of `by` pixels."""
    height, width = picture.shape
    return picture.reshape(height // by, by, width // by, by).mean((1, 3))


_PAINTERS: dict[str, Callable[[Canvas, Sequence[Layer]], np.ndarray]] = {
    "flat": _flat,
    "pencil": _pencil,
    "watercolour": _watercolour,
    "pixel art": _pixel_art,
    "neon": _neon,
}


@cache
def empty(background: str, style: str, wash: float = 0.0) -> np.ndarray:
    """The background of a style with nothing on it, (SIDE, SIDE, 3), its wash even. Not to be written to."""
    picture = _PAINTERS[style](Canvas(background, 1, 0, wash), ())
    picture.setflags(write=False)
    return picture


@cache
def tones(colour: str, style: str) -> tuple[np.ndarray, ...]:
    """What a thing's pixels may be in this style, one tone after the other from light to dark, each
    (1, 1, 3) or (SIDE, SIDE, 3): a pixel may also lie between two that follow each other."""
    full = ink(colour)[None, None]
    if style == "pencil":
        x, y = Canvas("white", 1, 0).at
        strokes = _hatched(np.broadcast_to(full, (SIDE, SIDE, 3)), x + y, pressed=THING_PRESSED)
        return strokes, shade(full, 0.7)
    if style == "watercolour":
        return RAG_PAPER + 0.7 * (full - RAG_PAPER), RAG_PAPER + 0.9 * (full - RAG_PAPER), shade(full, 0.7)
    if style == "pixel art":
        return full, shade(full)
    if style == "neon":
        return tube(ink(colour))[None, None], NEON_FIELD * full
    return (full,)


def blocks(coverage: np.ndarray) -> np.ndarray:
    """A silhouette whose box starts on the grid of the blocks, as pixel art shows it."""
    height, width = coverage.shape
    even = np.pad(coverage, ((0, height % BLOCK), (0, width % BLOCK)))
    return (_halved(even, BLOCK) >= SOLID).repeat(BLOCK, 0).repeat(BLOCK, 1).astype(np.float32)
