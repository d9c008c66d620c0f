"""What the upscaler learns to make: scenes drawn at four times their size, and loose ones such as clips show,
with things anywhere and of any size."""

from __future__ import annotations

import random

import numpy as np

from pipelines.training.scenes import shapes
from pipelines.training.scenes.draw import draw, placed
from pipelines.training.scenes.sampling import random_scene
from pipelines.training.scenes.styles import BLOCK, compose
from pipelines.training.scenes.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    PLACES,
    SIDE,
    STYLES,
    THINGS,
    Thing,
    is_clear,
    is_held_out,
)

SCALE = 4
STYLE_SHARES = (0.28, 0.2, 0.22, 0.1, 0.2)  # of training's pictures: what is harder comes oftener
LOOSE_SHARE = 0.4  # of training's pictures
LOOSE_SIZES = (8, 40)  # pixels of the small picture, from and to


def training_picture(dice: random.Random) -> np.ndarray:
    """One picture that training may see, (SIDE * SCALE, SIDE * SCALE, 3) uint8."""
    (style,) = dice.choices(STYLES, STYLE_SHARES)
    if dice.random() < LOOSE_SHARE:
        return loose(dice, style)
    return draw(random_scene(dice, style=style), dice.getrandbits(31), SCALE)


def held_out_picture(dice: random.Random, style: str) -> np.ndarray:
    """A scene no thing of which, in its colour, at its place, before its background, training has seen."""
    scene = random_scene(dice, dice.choice((1, 2)), held_out=True, style=style)
    return draw(scene, dice.getrandbits(31), SCALE)


def loose(dice: random.Random, style: str) -> np.ndarray:
    """One or two things anywhere; none is held out at any place before this background."""
    ground = dice.choice(BACKGROUNDS)
    layers = []
    for _ in range(dice.choice((1, 1, 2))):
        thing = _loose_thing(dice, ground, style)
        grid = BLOCK if style == "pixel art" else 1
        at = dice.randrange(SIDE), dice.randrange(SIDE)
        layers.append((placed(shapes.mask(thing.name, thing.size, SCALE), *at, SCALE, grid), thing.colour))
    picture = compose(ground, layers, style, dice.getrandbits(31))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _loose_thing(dice: random.Random, ground: str, style: str) -> Thing:
    while True:
        name, colour = dice.choice(THINGS), dice.choice(tuple(COLOURS))
        anywhere = [
            Thing(name, colour, place, BLOCK * dice.randint(LOOSE_SIZES[0] // BLOCK, LOOSE_SIZES[1] // BLOCK))
            for place in PLACES
        ]
        if is_clear(colour, ground, style) and not any(is_held_out(thing, ground) for thing in anywhere):
            return anywhere[0]
