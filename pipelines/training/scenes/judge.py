"""Says what a picture shows from its pixels alone, and whether that obeys a wording.

Nothing here is learned. The background is the known one that most pixels agree with; things are what stands
out from it, in connected patches of one named colour; a patch's name is the silhouette that overlaps it
best (intersection over union); its place is the nearest of the five. It knows nothing of the model that
painted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np

from pipelines.training.scenes import shapes
from pipelines.training.scenes.captions import Said, Wording
from pipelines.training.scenes.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    OPPOSITE,
    PLACES,
    SIDE,
    SIZES,
    THINGS,
    background_pixels,
)

BACKGROUND_TOLERANCE = 42.0  # RGB distance within which a pixel is the background's
BACKGROUND_SHARE = 0.55  # of the picture that must be
PATCH_PIXELS = 24  # smaller patches are blur, not things
SURE_NEIGHBOURS = 5  # of the 9 pixels around and at one that must share its colour: drops the rims of things
RIM_SHARE = (
    0.7  # of a rim's pixels lie within two pixels of its thing and between its colour and the background's
)
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


def obeys(pixels: np.ndarray, wording: Wording) -> bool:
    """Whether the (SIDE, SIDE, 3) uint8 picture shows all that the wording says, and no other thing."""
    return matches(look(pixels), wording)


def matches(sight: Sight, wording: Wording) -> bool:
    if wording.background not in (None, sight.background) or len(sight.things) != len(wording.things):
        return False
    return any(_fits(order, wording) for order in permutations(sight.things))


def look(pixels: np.ndarray) -> Sight:
    """What the picture shows."""
    if pixels.shape != (SIDE, SIDE, 3) or pixels.dtype != np.uint8:
        raise ValueError(
            f"The judge looks at ({SIDE}, {SIDE}, 3) uint8 pictures, not {pixels.shape} {pixels.dtype}."
        )
    picture = pixels.astype(np.float32)
    background = _background(picture)
    if background is None:
        return Sight(None, ())
    empty = background_pixels(background)
    return Sight(background, tuple(_found(picture, empty, *patch) for patch in _patches(picture, empty)))


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


def _background(picture: np.ndarray) -> str | None:
    shares = {name: _agreement(picture, name) for name in BACKGROUNDS}
    best = max(shares, key=shares.__getitem__)
    return best if shares[best] >= BACKGROUND_SHARE else None


def _agreement(picture: np.ndarray, background: str) -> float:
    distance = np.linalg.norm(picture - background_pixels(background), axis=-1)
    return float((distance < BACKGROUND_TOLERANCE).mean())


def _patches(picture: np.ndarray, empty: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """(colour, (SIDE, SIDE) bool core) of each connected patch of one colour that is not background."""
    names = tuple(COLOURS)
    palette = np.array([COLOURS[name] for name in names], np.float32)
    to_colour = np.linalg.norm(picture[:, :, None] - palette, axis=-1)
    nearest, to_empty = to_colour.argmin(-1), np.linalg.norm(picture - empty, axis=-1)
    stands_out = (to_colour.min(-1) < to_empty) & (to_empty > BACKGROUND_TOLERANCE)
    found = []
    for index, name in enumerate(names):
        sure = stands_out & (nearest == index)
        sure &= _neighbours(sure) >= SURE_NEIGHBOURS
        found += [(name, patch) for patch in _connected(sure) if patch.sum() >= PATCH_PIXELS]
    return _without_rims(picture, empty, found)


def _without_rims(picture: np.ndarray, empty: np.ndarray, patches: list) -> list:
    """Leaves out the patches that are another one's blurred rim.

    A rim hugs its thing, and its pixels lie on the straight line from the thing's colour to the background;
    so things are looked at from the strongest contrast down.
    """

    def contrast(pair: tuple[str, np.ndarray]) -> float:
        return float(np.linalg.norm(empty[pair[1]].mean(0) - np.array(COLOURS[pair[0]])))

    kept: list[tuple[str, np.ndarray]] = []
    for colour, patch in sorted(patches, key=contrast, reverse=True):
        hugged = any(
            (_coverage(picture, empty, other, core)[patch] > 0).mean() > RIM_SHARE for other, core in kept
        )
        if not hugged:
            kept.append((colour, patch))
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


def _found(picture: np.ndarray, empty: np.ndarray, colour: str, core: np.ndarray) -> Found:
    coverage = _coverage(picture, empty, colour, core)
    rows, columns = np.flatnonzero(coverage.max(1) > 0.5), np.flatnonzero(coverage.max(0) > 0.5)
    x, y = (columns[0] + columns[-1]) / 2, (rows[0] + rows[-1]) / 2
    return Found(_name(coverage, rows, columns), colour, _place(x, y), float(x), float(y))


def _coverage(picture: np.ndarray, empty: np.ndarray, colour: str, core: np.ndarray) -> np.ndarray:
    """How much of each pixel near the core the colour covers: where it lies between background and colour."""
    span = np.array(COLOURS[colour], np.float32) - empty
    share = ((picture - empty) * span).sum(-1) / (span * span).sum(-1)
    off = np.linalg.norm(picture - empty - share[..., None] * span, axis=-1)
    near = _neighbours(_neighbours(core) > 0) > 0
    share = np.clip(share, 0, 1) * near * (off < BACKGROUND_TOLERANCE)
    return np.where(core, np.maximum(share, 0.6), share)


def _name(coverage: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> str | None:
    """The silhouette that fits best, among those of about the patch's width and height."""
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    if max(height, width) > SIZE_RANGE[-1] + 3:
        return None
    scores = {name: _best_overlap(coverage, name, (rows[0], columns[0]), (height, width)) for name in THINGS}
    best = max(scores, key=scores.__getitem__)
    return best if scores[best] >= OVERLAP else None


def _best_overlap(coverage: np.ndarray, name: str, corner: tuple[int, int], extent: tuple[int, int]) -> float:
    """Best intersection over union of the silhouette, in any near size, shifted by a pixel either way."""
    (top, left), (height, width) = corner, extent
    padded = np.pad(coverage, 8)
    best = 0.0
    for template in _templates(name):
        tall, wide = template.shape
        if abs(tall - height) > REACH or abs(wide - width) > REACH:
            continue
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                y, x = top + 8 + (height - tall) // 2 + dy, left + 8 + (width - wide) // 2 + dx
                window = padded[y : y + tall, x : x + wide]
                common = np.minimum(window, template).sum()
                best = max(best, common / (coverage.sum() + template.sum() - common))
    return float(best)


@cache
def _templates(name: str) -> tuple[np.ndarray, ...]:
    """The silhouette in each size, sharp and softened."""
    sharp = [shapes.mask(name, size) for size in SIZE_RANGE]
    return (*sharp, *map(_softened, sharp))


def _softened(coverage: np.ndarray) -> np.ndarray:
    """The same box, each pixel the mean of the nine around and at it."""
    height, width = coverage.shape
    padded = np.pad(coverage, 1)
    return sum(padded[dy : dy + height, dx : dx + width] for dy in range(3) for dx in range(3)) / 9


def _place(x: float, y: float) -> str | None:
    """The nearest of the five places, if it is near enough."""
    distances = {place: float(np.hypot(x - px, y - py)) for place, (px, py) in PLACES.items()}
    nearest = min(distances, key=distances.__getitem__)
    return nearest if distances[nearest] <= PLACE_REACH else None
