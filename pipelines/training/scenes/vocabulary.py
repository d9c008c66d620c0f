"""What a scene may hold: things, colours, places, backgrounds, and which combinations are held out.

The words here are the whole world of the scenes model. Captions, drawing, judging and the heads that train
the text encoder all read them from this one file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np

SIDE = 64  # pixels: every picture is SIDE x SIDE

THINGS = ("circle", "square", "triangle", "star", "heart", "house", "tree", "sun", "moon", "boat", "hill")

COLOURS = {  # sRGB, 0 to 255; far apart, so that a picture's colour can be named from its pixels
    "red": (222, 38, 38),
    "orange": (250, 136, 12),
    "yellow": (250, 224, 48),
    "green": (28, 138, 56),
    "blue": (36, 76, 224),
    "purple": (136, 40, 172),
    "pink": (248, 140, 196),
    "brown": (116, 68, 28),
    "black": (16, 16, 16),
    "white": (248, 248, 248),
}

USUAL_COLOURS = {  # what a thing looks like when nobody says its colour; the others take any colour
    "heart": "red",
    "house": "red",
    "tree": "green",
    "sun": "yellow",
    "moon": "white",
    "boat": "brown",
    "hill": "green",
}

PLACES = {  # centre of the thing, (x, y) in pixels, y downwards
    "left": (13, 32),
    "right": (51, 32),
    "top": (32, 13),
    "bottom": (32, 51),
    "middle": (32, 32),
}
PLACE_JITTER = 1  # pixels, each way
OPPOSITE = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}

SIZES = {"small": (20, 21), "medium": (23, 25), "big": (28, 30)}  # longer side in pixels, from and to
SHARED_SIZES = (20, 21)  # pixels, when a scene holds two things that stand apart
CROWDED_SIZES = (17, 18)  # pixels, when one of several things stands in the middle

PLAIN = ("grey", *COLOURS)
BACKGROUNDS = ("day", "night", "sunset", "sea", *PLAIN)
DEFAULT_BACKGROUND = "white"  # when the words say none, and nothing in the scene is white
DEFAULT_BACKGROUND_FOR_WHITE = "night"

CLEAR_DISTANCE = (
    80.0  # Euclidean RGB: a thing's colour is at least this far from every pixel of its background
)
HELD_OUT_ONE_IN = 10

STYLES = ("flat", "pencil", "watercolour", "pixel art", "neon")
DEFAULT_STYLE = "flat"  # when the words say none
NEON_GROUND, NEON_FIELD = (
    0.36,
    0.7,
)  # share of their light that neon leaves to backgrounds, and inside its tubes
NEON_GRID = 30.0  # how much lighter the lines of its grid are
NEON_CLEAR_DISTANCE = 45.0  # as CLEAR_DISTANCE, after neon has darkened both


@dataclass(frozen=True)
class Thing:
    """One thing of a scene, as it is drawn, whether or not the words say all of it."""

    name: str
    colour: str
    place: str
    size: int  # longer side, pixels


@dataclass(frozen=True)
class Scene:
    """One to three things before a background, in a style."""

    things: tuple[Thing, ...]
    background: str
    style: str = DEFAULT_STYLE


@cache
def background_pixels(name: str, scale: int = 1) -> np.ndarray:
    """The plain background, (SIDE * scale, SIDE * scale, 3) float32 in 0 to 255. The cached array must not be
    written to."""
    if name == "day":
        picture = _bands((150, 208, 250), (196, 230, 252), (150, 205, 92), horizon=46, scale=scale)
    elif name == "sea":
        picture = _bands((206, 232, 240), (226, 240, 240), (24, 120, 160), horizon=40, scale=scale)
    elif name == "night":
        picture = _gradient((8, 10, 44), (34, 42, 104), scale=scale)
    elif name == "sunset":
        picture = _gradient((92, 60, 140), (236, 120, 100), (255, 196, 110), scale=scale)
    elif name == "grey":
        picture = _gradient((128, 128, 128), (128, 128, 128), scale=scale)
    elif name in COLOURS:
        picture = _gradient(COLOURS[name], COLOURS[name], scale=scale)
    else:
        raise ValueError(f"No background is called {name!r}; there are {', '.join(BACKGROUNDS)}.")
    picture.setflags(write=False)
    return picture


@cache
def is_clear(colour: str, background: str, style: str = DEFAULT_STYLE) -> bool:
    """Whether a thing of this colour stands out from every part of this background."""
    ink, ground = np.array(COLOURS[colour], np.float32), background_pixels(background)
    if _distance(ink, ground) < CLEAR_DISTANCE:
        return False
    if style != "neon":
        return True
    dark = NEON_GROUND * ground
    field, grid = _distance(NEON_FIELD * ink, dark), _distance(tube(ink), dark + NEON_GRID)
    return min(field, grid) >= NEON_CLEAR_DISTANCE


def tube(ink: np.ndarray) -> np.ndarray:
    """The light of a neon tube of this colour: half way to white."""
    return ink + 0.5 * (255 - ink)


def _distance(colour: np.ndarray, picture: np.ndarray) -> float:
    """From the colour to the pixel that is nearest to it."""
    return float(np.linalg.norm(picture - colour, axis=-1).min())


def is_held_out(thing: Thing, background: str) -> bool:
    """Whether training never draws this (thing, colour, place, background). A fixed hash decides."""
    words = f"{thing.name}|{thing.colour}|{thing.place}|{background}"
    digest = hashlib.blake2s(words.encode(), digest_size=4).digest()
    return int.from_bytes(digest) % HELD_OUT_ONE_IN == 0


def default_background(colours: tuple[str, ...]) -> str:
    """The background of a scene whose words name none."""
    return DEFAULT_BACKGROUND_FOR_WHITE if "white" in colours else DEFAULT_BACKGROUND


def _gradient(*stops: tuple[int, int, int], scale: int) -> np.ndarray:
    """Rows blended through the colour stops from top to bottom."""
    at = np.linspace(0, len(stops) - 1, SIDE * scale)
    rows = np.stack(
        [np.interp(at, range(len(stops)), [stop[i] for stop in stops]) for i in range(3)], axis=-1
    )
    return np.repeat(rows[:, None, :], SIDE * scale, axis=1).astype(np.float32)


def _bands(top: tuple, low: tuple, ground: tuple, horizon: int, scale: int) -> np.ndarray:
    """A sky that pales towards `horizon` (a row), and flat ground or water below it."""
    picture = _gradient(top, low, scale=scale)
    picture[horizon * scale :] = np.array(ground, np.float32)
    return picture
