"""Says a scene in words, in many ways, and remembers which of its parts the words said.

Conventions, so that words which leave something out still mean one picture:

- one thing without a place stands in the middle;
- two things without places or a relation stand left and right, three left, middle and right, in
  the order named;
- a relation alone ("a red circle above a blue square") means the two opposite places;
- a thing that has a usual colour (`USUAL_COLOURS`) may be named without it;
- no background means white, or night when something in the scene is white;
- no style means flat.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from pipelines.training.scenes.vocabulary import (
    DEFAULT_STYLE,
    PLAIN,
    SIZES,
    USUAL_COLOURS,
    Scene,
    Thing,
    default_background,
)

PLACE_WORDS = {
    "left": ("on the left", "at the left", "to the left", "on the left side", "left"),
    "right": ("on the right", "at the right", "to the right", "on the right side", "right"),
    "top": ("at the top", "on top", "above", "at the upper edge", "high up"),
    "bottom": ("at the bottom", "below", "at the lower edge", "low down", "down below"),
    "middle": ("in the middle", "in the center", "in the centre", "centered", "in the middle of the picture"),
}
RELATION_WORDS = {  # (place of the first thing, place of the second): what stands between their names
    ("left", "right"): ("left of", "to the left of", "on the left of"),
    ("right", "left"): ("right of", "to the right of", "on the right of"),
    ("top", "bottom"): ("above", "over", "on top of"),
    ("bottom", "top"): ("below", "under", "beneath"),
}
BACKGROUND_WORDS = {
    "day": (
        "by day",
        "on a sunny day",
        "in daylight",
        "during the day",
        "day",
        "on a meadow",
        "under a blue sky",
    ),
    "night": ("at night", "by night", "in the night", "night", "under the stars", "under a night sky"),
    "sunset": ("at sunset", "sunset", "in the sunset", "at dusk", "under a sunset sky"),
    "sea": ("at sea", "on the sea", "by the sea", "sea", "on the ocean", "on the water"),
}
PLAIN_WORDS = (
    "on a {} background",
    "{} background",
    "on {}",
    "against a {} background",
    "with a {} background",
)
OPENINGS = ("a picture of ", "an image of ", "a drawing of ", "picture of ", "a painting of ", "there is ")
STYLE_WORDS = {
    "flat": ("flat", "flat style", "in a flat style", "in flat colours"),
    "pencil": ("pencil", "in pencil", "pencil style", "drawn in pencil", "as a pencil drawing"),
    "watercolour": ("watercolour", "in watercolour", "watercolour style", "as a watercolour"),
    "pixel art": ("pixel art", "in pixel art", "as pixel art", "pixel art style"),
    "neon": ("neon", "in neon", "neon style", "as a neon sign", "in neon light"),
}
STYLE_OPENINGS = {
    "flat": ("a flat picture of ", "a flat drawing of "),
    "pencil": ("a pencil drawing of ", "pencil drawing of ", "a pencil sketch of "),
    "watercolour": ("a watercolour of ", "watercolour painting of ", "a watercolour painting of "),
    "pixel art": ("pixel art of ", "a pixel art picture of "),
    "neon": ("a neon sign of ", "neon sign of ", "a neon picture of "),
}
SIZE_WORDS = {"small": ("small", "little", "tiny"), "big": ("big", "large", "huge")}
IDLE_WORDS = (
    "simple",
    "nice",
    "beautiful",
    "lovely",
    "cute",
    "bright",
    "pretty",
)  # they change nothing
ORDERED = {1: ("middle",), 2: ("left", "right"), 3: ("left", "middle", "right")}


@dataclass(frozen=True)
class Said:
    """What the words say of one thing; None where they leave it open."""

    name: str
    colour: str | None = None
    place: str | None = None


@dataclass(frozen=True)
class Wording:
    """A caption and all that it claims; `relation` is the first thing's place as seen from the second."""

    text: str
    things: tuple[Said, ...]
    background: str | None = None
    relation: str | None = None
    style: str | None = None


def caption(scene: Scene, dice: random.Random, plain: bool = False, full: bool = False) -> Wording:
    """One of the many wordings of a scene. `plain` keeps to the usual ones: no openings, no idle words.
    `full` says everything: each colour, each place or the relation, the background and the style."""
    places = tuple(thing.place for thing in scene.things)
    says_relation = places in RELATION_WORDS and dice.random() < 0.6
    says_places = not says_relation and (full or places != ORDERED[len(places)] or dice.random() < 0.6)
    nouns, colours = zip(*(_noun(thing, dice, plain, full) for thing in scene.things), strict=True)
    if says_relation:
        body = f"{nouns[0]} {dice.choice(RELATION_WORDS[places])} {nouns[1]}"
    else:
        body = _list(
            [_placed(n, p if says_places else None, dice) for n, p in zip(nouns, places, strict=True)], dice
        )
    background, text = _with_background(body, scene, dice, full)
    said = tuple(
        Said(t.name, c, t.place if says_places else None) for t, c in zip(scene.things, colours, strict=True)
    )
    if full or scene.style != DEFAULT_STYLE or dice.random() < 0.3:
        style, text = scene.style, _with_style(text, scene.style, dice)
    else:
        style = None
        text = ("" if plain or len(said) > 2 or dice.random() < 0.8 else dice.choice(OPENINGS)) + text
    return Wording(text, said, background, places[0] if says_relation else None, style)


def _with_style(text: str, style: str, dice: random.Random) -> str:
    """The style said before all else, or after it."""
    if dice.random() < 0.35:
        words = dice.choice(STYLE_OPENINGS[style]) + text
    else:
        words = text + dice.choice((", ", ", ", " ")) + dice.choice(STYLE_WORDS[style])
    return words.replace("watercolour", "watercolor") if dice.random() < 0.3 else words


def _noun(thing: Thing, dice: random.Random, plain: bool, full: bool) -> tuple[str, str | None]:
    """ "a small red circle", and the colour if the words hold it."""
    words = [dice.choice(("a", "a", "a", "the", "one", ""))]
    words += [] if plain or dice.random() < 0.93 else [dice.choice(IDLE_WORDS)]
    words += _size_words(thing.size, dice)
    silent = USUAL_COLOURS.get(thing.name) == thing.colour and not full and dice.random() < 0.6
    words += [thing.name] if silent else [thing.colour, thing.name]
    return " ".join(word for word in words if word), None if silent else thing.colour


def _size_words(size: int, dice: random.Random) -> list[str]:
    for name, (low, high) in SIZES.items():
        if low <= size <= high and name in SIZE_WORDS and dice.random() < 0.3:
            return [dice.choice(SIZE_WORDS[name])]
    return []


def _placed(noun: str, place: str | None, dice: random.Random) -> str:
    if place is None:
        return noun
    words = dice.choice(PLACE_WORDS[place])
    return f"{words}, {noun}" if words.count(" ") > 1 and dice.random() < 0.1 else f"{noun} {words}"


def _list(parts: list[str], dice: random.Random) -> str:
    if len(parts) == 1:
        return parts[0]
    return ", ".join(parts[:-1]) + dice.choice((" and ", ", ", " and ", ", and ")) + parts[-1]


def _with_background(body: str, scene: Scene, dice: random.Random, full: bool) -> tuple[str | None, str]:
    """The background if it is said, and the whole text."""
    default = default_background(tuple(thing.colour for thing in scene.things))
    if scene.background == default and not full and dice.random() < 0.6:
        return None, body
    words = background_words(scene.background, dice)
    if dice.random() < 0.1:
        return scene.background, f"{words}, {body}"
    return scene.background, body + dice.choice((" ", ", ", ", ")) + words


def background_words(background: str, dice: random.Random) -> str:
    """ "at night", "on a green background"."""
    if background in PLAIN:
        return dice.choice(PLAIN_WORDS).format(background)
    return dice.choice(BACKGROUND_WORDS[background])
