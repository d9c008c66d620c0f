"""Examines the judge itself: true renders must pass, renders that differ in one said attribute must not."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pipelines.training.scenes.captions import RELATION_WORDS, Wording, caption
from pipelines.training.scenes.draw import draw
from pipelines.training.scenes.judge import look, matches
from pipelines.training.scenes.sampling import random_scene
from pipelines.training.scenes.vocabulary import BACKGROUNDS, COLOURS, PLACES, STYLES, THINGS


def examine(
    count: int,
    seed: int,
    alter: Callable[[np.ndarray], np.ndarray] = lambda picture: picture,
    style: str | None = None,
) -> tuple[float, float]:
    """Shares of true renders and of swapped ones that pass. `alter` may degrade the pictures."""
    dice = random.Random(seed)
    right = wrong = 0
    for i in range(count):
        scene = random_scene(dice, style=style)
        wording, sight = caption(scene, dice, full=dice.random() < 0.5), look(alter(draw(scene, seed + i)))
        right += matches(sight, wording)
        wrong += matches(sight, swapped(wording, dice))
    return right / count, wrong / count


def swapped(wording: Wording, dice: random.Random) -> Wording:
    """The same claims but for one, which now says something else."""
    swaps = [lambda: _other_thing(wording, dice, "name", THINGS)]
    if any(thing.colour for thing in wording.things):
        swaps.append(lambda: _other_thing(wording, dice, "colour", tuple(COLOURS)))
    if any(thing.place for thing in wording.things):
        swaps.append(lambda: _other_thing(wording, dice, "place", tuple(PLACES)))
    if wording.background:
        swaps.append(lambda: replace(wording, background=_other(dice, BACKGROUNDS, wording.background)))
    if wording.style:
        swaps.append(lambda: replace(wording, style=_other(dice, STYLES, wording.style)))
    if wording.relation:
        sides = tuple(first for first, _ in RELATION_WORDS)
        swaps.append(lambda: replace(wording, relation=_other(dice, sides, wording.relation)))
    return dice.choice(swaps)()


def _other_thing(wording: Wording, dice: random.Random, field: str, choices: tuple[str, ...]) -> Wording:
    """One thing that has `field` said gets another value there."""
    at = dice.choice([i for i, thing in enumerate(wording.things) if getattr(thing, field)])
    thing = wording.things[at]
    changed = replace(thing, **{field: _other(dice, choices, getattr(thing, field))})
    return replace(wording, things=(*wording.things[:at], changed, *wording.things[at + 1 :]))


def _other(dice: random.Random, choices: tuple[str, ...], present: str) -> str:
    return dice.choice([choice for choice in choices if choice != present])


def blurred(picture: np.ndarray) -> np.ndarray:
    """The picture softened by a three-pixel mean: about what a small autoencoder does to it."""
    padded = np.pad(picture.astype(np.float32), ((1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = picture.shape[:2]
    total = sum(padded[dy : dy + height, dx : dx + width] for dy in range(3) for dx in range(3))
    return np.rint(total / 9).astype(np.uint8)
