"""What a clip may show: a thing, its colour, a background, and how it moves; and what is held out."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace

from pipelines.training.scenes.vocabulary import (
    COLOURS,
    DEFAULT_STYLE,
    PLACES,
    PLAIN,
    STYLES,
    THINGS,
    USUAL_COLOURS,
    is_clear,
)

FRAMES, FPS = 16, 8  # of every clip: two seconds
SIZE = 22  # pixels, longer side of a thing whose size nobody says
NATURAL = ("day", "night", "sunset", "sea")
NATURAL_SHARE = 0.45  # of clips; the others have a plain background
USUAL_COLOUR_SHARE = 0.15  # of things that have a usual colour
HELD_OUT_ONE_IN = 10

ACROSS = ("rightwards", "leftwards")
ALONG = ("rising", "falling")
SIZING = ("growing", "shrinking")
LIGHT = {"nightfall": ("day", "night"), "daybreak": ("night", "day")}  # motion: background before and after
MOTIONS = (*ACROSS, *ALONG, *SIZING, "orbiting", "blinking", *LIGHT)

FREE = {  # places that the words may add to a motion, and that it leaves as they are
    **dict.fromkeys(ACROSS, ("top", "bottom")),
    **dict.fromkeys(ALONG, ("left", "right")),
    **dict.fromkeys(("blinking", *LIGHT), ("left", "right", "top", "bottom", "middle")),
}
STYLED_SHARE = 0.15  # of clips for training are in another style than the usual one
PLACED_SHARE = 0.25  # of clips whose motion leaves it open have their place said


@dataclass(frozen=True)
class Clip:
    """A thing that moves. `place` is None where the motion's own path is meant."""

    name: str
    colour: str
    motion: str
    background: str  # at the first frame
    place: str | None = None
    style: str = DEFAULT_STYLE

    @property
    def ends_on(self) -> str:
        """The background at the last frame."""
        return LIGHT.get(self.motion, (None, self.background))[1]


def is_held_out(clip: Clip) -> bool:
    """Whether training never draws this (thing, colour, motion, background). A fixed hash decides."""
    words = f"{clip.name}|{clip.colour}|{clip.motion}|{clip.background}"
    digest = hashlib.blake2s(words.encode(), digest_size=4, person=b"motion").digest()
    return int.from_bytes(digest) % HELD_OUT_ONE_IN == 0


def random_clip(
    dice: random.Random, held_out: bool = False, motion: str | None = None, styled: float = 0.0
) -> Clip:
    """A clip on the wanted side of the split that can be told from its pixels; `styled`: the share of those
    that are not in the usual style."""
    while True:
        style = dice.choice(STYLES[1:]) if dice.random() < styled else DEFAULT_STYLE
        clip = replace(_any_clip(dice, motion or dice.choice(MOTIONS)), style=style)
        backgrounds = (clip.background, clip.ends_on)
        if is_held_out(clip) == held_out and all(is_clear(clip.colour, each, style) for each in backgrounds):
            return clip


def _any_clip(dice: random.Random, motion: str) -> Clip:
    name = dice.choice(THINGS)
    usual = name in USUAL_COLOURS and dice.random() < USUAL_COLOUR_SHARE
    colour = USUAL_COLOURS[name] if usual else dice.choice(tuple(COLOURS))
    background = dice.choice(NATURAL if dice.random() < NATURAL_SHARE else PLAIN)
    background = LIGHT.get(motion, (background,))[0]
    place = dice.choice(FREE[motion]) if motion in FREE and dice.random() < PLACED_SHARE else None
    return Clip(name, colour, motion, background, place)


def start_of(clip: Clip) -> tuple[float, float]:
    """Where the thing is in the first frame, (x, y) in pixels, unless a picture says otherwise."""
    x, y = PLACES[clip.place or "middle"]
    if clip.motion in ACROSS:
        x = PLACES["left" if clip.motion == "rightwards" else "right"][0]
    elif clip.motion in ALONG:
        y = PLACES["bottom" if clip.motion == "rising" else "top"][1]
    elif clip.motion == "orbiting":
        x, y = PLACES["top"]
    return float(x), float(y)
