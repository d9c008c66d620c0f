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

SIZES = {"small": (18, 19), "medium": (22, 24), "big": (27, 29)}  # longer side in pixels, from and to
CROWDED_SIZES = (17, 18)  # pixels, when a scene holds more than one thing

PLAIN = ("grey", *COLOURS)
BACKGROUNDS = ("day", "night", "sunset", "sea", *PLAIN)
DEFAULT_BACKGROUND = "white"  # when the words say none, and nothing in the scene is white
DEFAULT_BACKGROUND_FOR_WHITE = "night"

CLEAR_DISTANCE = (
    80.0  # Euclidean RGB: a thing's colour is at least this far from every pixel of its background
)
HELD_OUT_ONE_IN = 10


@dataclass(frozen=True)
class Thing:
    """One thing of a scene, as it is drawn, whether or not the words say all of it."""

    name: str
    colour: str
    place: str
    size: int  # longer side, pixels


@dataclass(frozen=True)
class Scene:
    """One to three things before a background."""

    things: tuple[Thing, ...]
    background: str


@cache
def background_pixels(name: str) -> np.ndarray:
    """The empty background, (SIDE, SIDE, 3) float32 in 0 to 255. The cached array must not be written to."""
    if name == "day":
        picture = _bands((150, 208, 250), (196, 230, 252), (150, 205, 92), horizon=46)
    elif name == "sea":
        picture = _bands((206, 232, 240), (226, 240, 240), (24, 120, 160), horizon=40)
    elif name == "night":
        picture = _gradient((8, 10, 44), (34, 42, 104))
    elif name == "sunset":
        picture = _gradient((92, 60, 140), (236, 120, 100), (255, 196, 110))
    elif name == "grey":
        picture = _gradient((128, 128, 128), (128, 128, 128))
    elif name in COLOURS:
        picture = _gradient(COLOURS[name], COLOURS[name])
    else:
        raise ValueError(f"No background is called {name!r}; there are {', '.join(BACKGROUNDS)}.")
    picture.setflags(write=False)
    return picture


@cache
def is_clear(colour: str, background: str) -> bool:
    """Whether a thing of this colour stands out from every part of this background."""
    distance = np.linalg.norm(background_pixels(background) - np.array(COLOURS[colour], np.float32), axis=-1)
    return float(distance.min()) >= CLEAR_DISTANCE


def is_held_out(thing: Thing, background: str) -> bool:
    """Whether training never draws this (thing, colour, place, background). A fixed hash decides."""
    words = f"{thing.name}|{thing.colour}|{thing.place}|{background}"
    digest = hashlib.blake2s(words.encode(), digest_size=4).digest()
    return int.from_bytes(digest) % HELD_OUT_ONE_IN == 0


def default_background(colours: tuple[str, ...]) -> str:
    """The background of a scene whose words name none."""
    return DEFAULT_BACKGROUND_FOR_WHITE if "white" in colours else DEFAULT_BACKGROUND


def _gradient(*stops: tuple[int, int, int]) -> np.ndarray:
    """Rows blended through the colour stops from top to bottom."""
    at = np.linspace(0, len(stops) - 1, SIDE)
    rows = np.stack(
        [np.interp(at, range(len(stops)), [stop[i] for stop in stops]) for i in range(3)], axis=-1
    )
    return np.repeat(rows[:, None, :], SIDE, axis=1).astype(np.float32)


def _bands(top: tuple, low: tuple, ground: tuple, horizon: int) -> np.ndarray:
    """A sky that pales towards `horizon` (a row), and flat ground or water below it."""
    picture = _gradient(top, low)
    picture[horizon:] = np.array(ground, np.float32)
    return picture
