"""Draws random scenes, on either side of the held-out split."""

from __future__ import annotations

import random

from pipelines.training.scenes.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    CROWDED_SIZES,
    OPPOSITE,
    PLACES,
    SHARED_SIZES,
    SIZES,
    STYLES,
    THINGS,
    USUAL_COLOURS,
    Scene,
    Thing,
    default_background,
    is_clear,
    is_held_out,
)

USUAL_COLOUR_SHARE = 0.15  # of things: they get the colour that goes without saying, where there is one
DEFAULT_BACKGROUND_SHARE = 0.2  # of scenes: their background may be left out of the words
OPPOSITE_SHARE = (
    0.7  # of scenes with two things: side by side or one over the other, so a relation can be said
)
NATURAL_SHARE = 0.45  # of the other scenes: day, night, sunset or sea rather than a plain colour
CURRICULUM = (0.5, 0.4, 0.1)  # share of scenes with one, two, three things, in training
HARD_THINGS = {"sun": 3, "star": 2, "house": 2}  # how often training draws them, against once for the others
STYLE_CURRICULUM = (0.28, 0.18, 0.18, 0.18, 0.18)  # share of each of STYLES, in training


def random_scene(
    dice: random.Random, things: int | None = None, held_out: bool = False, style: str | None = None
) -> Scene:
    """A scene for training (no thing of it held out), or for the evaluation (every thing of it held out).

    Training meets oftener what is harder; the evaluation draws names and styles evenly.
    """
    count = things or dice.choices((1, 2, 3), CURRICULUM)[0]
    chosen = style or dice.choices(STYLES, None if held_out else STYLE_CURRICULUM)[0]
    weights = None if held_out else [HARD_THINGS.get(name, 1) for name in THINGS]
    while True:
        names = dice.choices(THINGS, weights, k=count)
        scene = _any_scene(dice, names, chosen)
        if scene and all(is_held_out(thing, scene.background) == held_out for thing in scene.things):
            return scene


def _any_scene(dice: random.Random, names: list[str], style: str) -> Scene | None:
    """A scene that can be told from its pixels, or None when the dice made one that cannot."""
    count = len(names)
    places = _places(dice, count)
    colours = [_colour(dice, name) for name in names]
    background = _background(dice, tuple(colours))
    sizes = [_size(dice, places) for _ in range(count)]
    things = tuple(Thing(*each) for each in zip(names, colours, places, sizes, strict=True))
    scene = Scene(things, background, style)
    return scene if _is_tellable(scene) else None


def _places(dice: random.Random, count: int) -> list[str]:
    if count == 1:
        return [dice.choice(tuple(PLACES))]
    if count == 2 and dice.random() < OPPOSITE_SHARE:
        first = dice.choice(tuple(OPPOSITE))
        return [first, OPPOSITE[first]]
    return dice.sample(tuple(PLACES), count)


def _colour(dice: random.Random, name: str) -> str:
    if name in USUAL_COLOURS and dice.random() < USUAL_COLOUR_SHARE:
        return USUAL_COLOURS[name]
    return dice.choice(tuple(COLOURS))


def _background(dice: random.Random, colours: tuple[str, ...]) -> str:
    if dice.random() < DEFAULT_BACKGROUND_SHARE:
        return default_background(colours)
    natural, plain = BACKGROUNDS[:4], BACKGROUNDS[4:]
    return dice.choice(natural if dice.random() < NATURAL_SHARE else plain)


def _size(dice: random.Random, places: list[str]) -> int:
    if len(places) == 1:
        return dice.randint(*dice.choice(tuple(SIZES.values())))
    return dice.randint(*(CROWDED_SIZES if "middle" in places else SHARED_SIZES))


def _is_tellable(scene: Scene) -> bool:
    """Colours stand out from the background, and things that may touch do not share one."""
    if not all(is_clear(thing.colour, scene.background, scene.style) for thing in scene.things):
        return False
    pairs = [(a, b) for i, a in enumerate(scene.things) for b in scene.things[i + 1 :]]
    if any((a.name, a.colour) == (b.name, b.colour) for a, b in pairs):
        return False
    return all(a.colour != b.colour or OPPOSITE.get(a.place) == b.place for a, b in pairs)
