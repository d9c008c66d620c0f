"""Says a clip in words, in many ways, and remembers what the words claimed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from pipelines.training.motion.world import LIGHT, Clip
from pipelines.training.scenes.captions import PLACE_WORDS, background_words
from pipelines.training.scenes.vocabulary import DEFAULT_STYLE, USUAL_COLOURS, default_background

MOTION_WORDS = {
    "rightwards": (
        "moving from left to right",
        "moves from left to right",
        "moving left to right",
        "going from left to right",
        "gliding from left to right",
        "moving to the right",
        "moves to the right",
        "drifting to the right",
    ),
    "leftwards": (
        "moving from right to left",
        "moves from right to left",
        "moving right to left",
        "going from right to left",
        "gliding from right to left",
        "moving to the left",
        "moves to the left",
        "drifting to the left",
    ),
    "rising": ("rising", "rises", "moving up", "moves up", "going up", "moving upwards", "floating up"),
    "falling": ("falling", "falls", "moving down", "moves down", "going down", "sinking", "dropping down"),
    "growing": ("growing", "grows", "getting bigger", "gets bigger", "becoming larger", "growing bigger"),
    "shrinking": (
        "shrinking",
        "shrinks",
        "getting smaller",
        "gets smaller",
        "becoming smaller",
        "growing smaller",
    ),
    "orbiting": (
        "orbiting",
        "orbits",
        "circling",
        "circles",
        "moving in a circle",
        "going round in a circle",
        "moving around in a circle",
    ),
    "blinking": ("blinking", "blinks", "flashing", "flashes", "flickering", "twinkling"),
    "nightfall": (
        "as day turns to night",
        "while day turns to night",
        "day turning to night",
        "day turns to night",
        "as the day becomes night",
        "from day to night",
        "as it gets dark",
    ),
    "daybreak": (
        "as night turns to day",
        "while night turns to day",
        "night turning to day",
        "night turns to day",
        "as the night becomes day",
        "from night to day",
        "as it gets light",
    ),
}
STYLE_WORDS = {
    "flat": ("flat", "in a flat style", "as a cutout"),
    "pencil": ("in pencil", "a pencil drawing", "drawn in pencil", "pencil sketch", "in coloured pencil"),
    "watercolour": ("in watercolour", "a watercolour", "in watercolours", "painted in watercolour"),
    "pixel art": ("in pixel art", "pixel art", "as pixel art", "in pixel art style"),
    "neon": ("in neon", "neon", "in neon lights", "neon style", "in neon style"),
}
OPENINGS = ("a video of ", "a clip of ", "an animation of ", "a film of ")
IDLE_WORDS = ("simple", "nice", "beautiful", "lovely", "cute", "pretty")  # they change nothing


@dataclass(frozen=True)
class Wording:
    """A caption and all that it claims; `still` is the caption without its words for motion."""

    text: str
    still: str
    name: str
    colour: str | None
    motion: str | None
    background: str | None
    place: str | None
    style: str | None = None


def of_picture(clip: Clip, dice: random.Random) -> str:
    """Words that only make sense beside a picture: "it moves to the right"."""
    moves = dice.choice(MOTION_WORDS[clip.motion])
    return moves if clip.motion in LIGHT else f"{dice.choice(('it', 'it', 'the thing'))} {moves}"


def caption(clip: Clip, dice: random.Random, plain: bool = False, silent: float = 0.0) -> Wording:
    """One of the many wordings of a clip. `plain`: no openings, no idle words; `silent`: the share of
    wordings that leave the motion out."""
    noun, colour = _noun(clip, dice, plain)
    motion = None if dice.random() < silent else clip.motion
    moves = dice.choice(MOTION_WORDS[motion]) if motion else ""
    place = dice.choice(PLACE_WORDS[clip.place]) if clip.place else ""
    background, where = _background(clip, dice, motion)
    opening = "" if plain or dice.random() < 0.85 else dice.choice(OPENINGS)
    parts = [noun, moves, place] if dice.random() < 0.6 else [noun, place, moves]
    first = dice.random() < 0.12 and bool(where)
    if motion in LIGHT:
        where, parts = moves, [noun, place]
    comma = "" if opening else dice.choice(("", "", ","))

    def joined(words: list[str], backdrop: str) -> str:
        body = " ".join(word for word in words if word)
        if not backdrop:
            return opening + body
        return f"{opening}{backdrop}, {body}" if first else f"{opening}{body}{comma} {backdrop}"

    still_where = where
    if motion in LIGHT:
        still_where = "by day" if clip.background == "day" else "at night"
    style, text = _styled(joined(parts, where), clip, dice)
    still = joined([noun, place], still_where).removeprefix(opening)
    return Wording(text, still, clip.name, colour, motion, background, clip.place, style)


def _styled(text: str, clip: Clip, dice: random.Random) -> tuple[str | None, str]:
    """The style if it is said, and the whole text."""
    if clip.style == DEFAULT_STYLE and dice.random() < 0.95:
        return None, text
    words = dice.choice(STYLE_WORDS[clip.style])
    return clip.style, f"{words}, {text}" if dice.random() < 0.2 else f"{text}, {words}"


def _noun(clip: Clip, dice: random.Random, plain: bool) -> tuple[str, str | None]:
    """ "a red circle", and the colour if the words hold it."""
    words = [dice.choice(("a", "a", "a", "the", "one", ""))]
    words += [] if plain or dice.random() < 0.93 else [dice.choice(IDLE_WORDS)]
    silent = USUAL_COLOURS.get(clip.name) == clip.colour and dice.random() < 0.6
    words += [clip.name] if silent else [clip.colour, clip.name]
    return " ".join(word for word in words if word), None if silent else clip.colour


def _background(clip: Clip, dice: random.Random, motion: str | None) -> tuple[str | None, str]:
    """The background if it is said, and the words for it."""
    if motion in LIGHT:
        return None, ""
    if clip.background == default_background((clip.colour,)) and dice.random() < 0.5:
        return None, ""
    return clip.background, background_words(clip.background, dice)
