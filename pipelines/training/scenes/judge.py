"""Says what a picture shows from its pixels alone, and whether that obeys a wording.

Nothing here is learned, and nothing here knows of the model that painted. The drawing code tells what each
style makes of a background and of a colour (`styles.empty`, `styles.tones`); the judge only compares.

1. Style and background are the pair whose empty picture the pixels differ least from.
2. Things are what stands out from it, in connected patches that lie nearer to one named colour.
3. A patch's name is the silhouette that overlaps it best (intersection over union).
4. Its place is the nearest of the five.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise, permutations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipelines.training.scenes import shapes, styles
from pipelines.training.scenes.captions import Said, Wording
from pipelines.training.scenes.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    OPPOSITE,
    PLACES,
    SIDE,
    SIZES,
    STYLES,
    THINGS,
)

BACKGROUND_TOLERANCE = 42.0  # RGB distance within which a pixel is the background's
BACKGROUND_SHARE = 0.55  # of the picture that must be
NO_MATTER = 60.0  # RGB: a pixel that differs by more is no evidence of how wrong a background is
STANDS_OUT = 30.0  # RGB: what differs less from the background is background
PATCH_PIXELS = 24  # smaller patches are blur, not things
SURE_NEIGHBOURS = 5  # of the 9 pixels around and at one that must share its colour: drops the rims of things
RIM_SHARE = 0.7  # of a rim's pixels lie within two pixels of its thing
RIM_BODY = 9  # pixels at most that a rim has left when it is shrunk by one pixel
HAZE, GLOW = 0.3, 0.5  # coverage that is no part of a silhouette yet: a blur, the light around a neon tube
OVERLAP = 0.62  # least intersection over union for a silhouette to be recognised
REACH = 4  # pixels that a silhouette's box may differ from the patch's: soft tips fall short
PLACE_REACH = 11.0  # pixels from a place's centre
RELATION_STEP = 10.0  # pixels between centres for "left of" and the like
SIZE_RANGE = range(SIZES["small"][0] - 2, SIZES["big"][1] + 3)


@dataclass(frozen=True)
class Found:
    """A thing seen in a picture. `name` and `place` are None when nothing known fits."""

    name: str | None
    colour: str
    place: str | None
    x: float
    y: float


@dataclass(frozen=True)
class Sight:
    """All that the judge sees in a picture."""

    background: str | None
    things: tuple[Found, ...]
    style: str | None = None


def obeys(pixels: np.ndarray, wording: Wording) -> bool:
    """Whether the (SIDE, SIDE, 3) uint8 picture shows all that the wording says, and no other thing."""
    return matches(look(pixels), wording)


def matches(sight: Sight, wording: Wording) -> bool:
    if wording.background not in (None, sight.background) or wording.style not in (None, sight.style):
        return False
    if len(sight.things) != len(wording.things):
        return False
    return any(_fits(order, wording) for order in permutations(sight.things))


def look(pixels: np.ndarray) -> Sight:
    """What the picture shows."""
    if pixels.shape != (SIDE, SIDE, 3) or pixels.dtype != np.uint8:
        raise ValueError(
            f"The judge looks at ({SIDE}, {SIDE}, 3) uint8 pictures, not {pixels.shape} {pixels.dtype}."
        )
    picture = pixels.astype(np.float32)
    seen = _style_and_background(picture)
    if seen is None:
        return Sight(None, ())
    style, background = seen
    to_empty = _distance(picture, *_grounds(style, background))
    to_colours = np.stack([_distance(picture, *styles.tones(colour, style)) for colour in COLOURS])
    if style == "pencil":  # single strokes of different things are alike: three by three of them are not
        to_empty, to_colours = _softened(to_empty), np.stack([_softened(each) for each in to_colours])
    things = [_found(style, *patch) for patch in _patches(to_empty, to_colours)]
    return Sight(background, tuple(things), style)


def _fits(things: tuple[Found, ...], wording: Wording) -> bool:
    if not all(_is(found, said) for found, said in zip(things, wording.things, strict=True)):
        return False
    return wording.relation is None or _stands(things[0], things[1]) == wording.relation


def _is(found: Found, said: Said) -> bool:
    return (
        found.name == said.name and said.colour in (None, found.colour) and said.place in (None, found.place)
    )


def _stands(first: Found, second: Found) -> str | None:
    """The side of `second` on which `first` stands: the larger offset decides."""
    across, down = first.x - second.x, first.y - second.y
    if max(abs(across), abs(down)) < RELATION_STEP:
        return None
    side = "right" if abs(across) > abs(down) else "bottom"
    return side if (across if side == "right" else down) > 0 else OPPOSITE[side]


def _style_and_background(picture: np.ndarray) -> tuple[str, str] | None:
    """The pair that the picture differs least from, if enough of the picture agrees with it."""
    distances = {
        (style, background): _distance(picture, *_grounds(style, background))
        for style in STYLES
        for background in BACKGROUNDS
    }
    best = min(distances, key=lambda pair: float(np.minimum(distances[pair], NO_MATTER).mean()))
    agrees = (distances[best] < BACKGROUND_TOLERANCE).mean()
    return best if agrees >= BACKGROUND_SHARE else None


@cache
def _grounds(style: str, background: str) -> tuple[np.ndarray, ...]:
    """What the empty picture may be, each (SIDE, SIDE, 3): of a watercolour, from its lightest wash to its
    fullest."""
    if style != "watercolour":
        return (styles.empty(background, style),)
    return styles.empty(background, style, wash=-1), styles.empty(background, style, wash=1)


def _distance(picture: np.ndarray, *tones: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE): from each pixel to the nearest point on the way from each tone to the next."""
    if len(tones) == 1:
        return _length(picture - tones[0])
    return np.minimum.reduce([_from_way(picture, *way) for way in pairwise(tones)])


def _from_way(picture: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    way = end - start
    square = np.einsum("ijk,ijk->ij", way, way)
    from_start = picture - start
    along = (from_start * way).sum(-1) / np.maximum(square, 1e-6)
    return _length(from_start - np.clip(along, 0, 1)[..., None] * way)


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("ijk,ijk->ij", vectors, vectors))


def _patches(to_empty: np.ndarray, to_colours: np.ndarray) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(colour, core, coverage), both (SIDE, SIDE), of each connected patch of one colour that stands out."""
    nearest, stands_out = to_colours.argmin(0), to_empty > np.maximum(to_colours.min(0), STANDS_OUT)
    found = []
    for index, name in enumerate(COLOURS):
        sure = stands_out & (nearest == index)
        sure &= _neighbours(sure) >= SURE_NEIGHBOURS
        found += [(name, core) for core in _connected(sure) if core.sum() >= PATCH_PIXELS]
    return [
        (name, core, _coverage(to_empty, to_colours[list(COLOURS).index(name)], core))
        for name, core in _without_rims(found)
    ]


def _without_rims(patches: list[tuple[str, np.ndarray]]) -> list[tuple[str, np.ndarray]]:
    """Leaves out the patches that are another one's blurred rim: thin, and hugging a larger one."""
    kept: list[tuple[str, np.ndarray]] = []
    for colour, core in sorted(patches, key=lambda patch: -patch[1].sum()):
        thin = (_neighbours(core) == 9).sum() <= RIM_BODY
        hugs = any((_neighbours(_neighbours(other) > 0) > 0)[core].mean() > RIM_SHARE for _, other in kept)
        if not (thin and hugs):
            kept.append((colour, core))
    return kept


def _neighbours(flags: np.ndarray) -> np.ndarray:
    """How many of the nine pixels around and at each one are set."""
    padded = np.pad(flags, 1).astype(np.int8)
    return sum(padded[dy : dy + SIDE, dx : dx + SIDE] for dy in range(3) for dx in range(3))


def _connected(flags: np.ndarray) -> list[np.ndarray]:
    """The eight-connected patches of a flag picture, by flooding from one pixel at a time."""
    left, patches = flags.copy(), []
    while left.any():
        patch = np.zeros_like(left)
        patch.flat[left.argmax()] = True
        while True:
            grown = (_neighbours(patch) > 0) & left
            if (grown == patch).all():
                break
            patch = grown
        patches.append(patch)
        left &= ~patch
    return patches


def _coverage(to_empty: np.ndarray, to_colour: np.ndarray, core: np.ndarray) -> np.ndarray:
    """How much of each pixel near the core the colour covers: how far it lies on the way from the background.

    A pixel far off that way is something else.
    """
    near = _neighbours(_neighbours(core) > 0) > 0
    share = to_empty / np.maximum(to_empty + to_colour, 1e-6)
    share = share * near * (np.minimum(to_empty, to_colour) < NO_MATTER)
    return np.where(core, np.maximum(share, 0.6), share)


def _found(style: str, colour: str, core: np.ndarray, coverage: np.ndarray) -> Found:
    coverage = np.where(coverage > (GLOW if style == "neon" else HAZE), coverage, 0)
    rows, columns = np.flatnonzero(coverage.max(1) > 0.5), np.flatnonzero(coverage.max(0) > 0.5)
    x, y = (columns[0] + columns[-1]) / 2, (rows[0] + rows[-1]) / 2
    return Found(_name(coverage, rows, columns, style), colour, _place(x, y), float(x), float(y))


def _name(coverage: np.ndarray, rows: np.ndarray, columns: np.ndarray, style: str) -> str | None:
    """The silhouette that fits best, among those of about the patch's width and height."""
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    if max(height, width) > SIZE_RANGE[-1] + 3:
        return None
    corner, extent = (rows[0], columns[0]), (height, width)
    scores = {name: _best_overlap(coverage, _templates(name, style), corner, extent) for name in THINGS}
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] >= OVERLAP else None


def _best_overlap(
    coverage: np.ndarray, templates: tuple[np.ndarray, ...], corner: tuple[int, int], extent: tuple[int, int]
) -> float:
    """Best intersection over union of the silhouette, in any near size, shifted by a pixel either way."""
    (top, left), (height, width) = corner, extent
    padded = np.pad(coverage, 8)
    best, covered = 0.0, coverage.sum()
    for template in templates:
        tall, wide = template.shape
        if abs(tall - height) > REACH or abs(wide - width) > REACH:
            continue
        y, x = top + 7 + (height - tall) // 2, left + 7 + (width - wide) // 2
        windows = sliding_window_view(padded[y : y + tall + 2, x : x + wide + 2], (tall, wide))
        common = np.minimum(windows, template).sum((2, 3)).max()
        best = max(best, common / (covered + template.sum() - common))
    return float(best)


@cache
def _templates(name: str, style: str) -> tuple[np.ndarray, ...]:
    """The silhouette in each size, sharp and softened; of pixel art, in its blocks."""
    if style == "pixel art":
        return tuple(
            styles.blocks(shapes.mask(name, size)) for size in SIZE_RANGE if size % styles.BLOCK == 0
        )
    sharp = [shapes.mask(name, size) for size in SIZE_RANGE]
    return (*sharp, *map(_softened, sharp))


def _softened(picture: np.ndarray) -> np.ndarray:
    """The same box, each pixel the mean of the nine around and at it, with nothing beyond the box."""
    height, width = picture.shape
    padded = np.pad(picture, 1)
    return sum(padded[dy : dy + height, dx : dx + width] for dy in range(3) for dx in range(3)) / 9


def _place(x: float, y: float) -> str | None:
    """The nearest of the five places, if it is near enough."""
    distances = {place: float(np.hypot(x - px, y - py)) for place, (px, py) in PLACES.items()}
    nearest = min(distances, key=distances.__getitem__)
    return nearest if distances[nearest] <= PLACE_REACH else None
