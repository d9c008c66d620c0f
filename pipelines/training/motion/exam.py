"""Examines the judge itself: true clips must pass, clips held against words with one attribute changed must
not."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pipelines.training.motion.captions import Wording, caption
from pipelines.training.motion.draw import draw
from pipelines.training.motion.judge import faults, watch
from pipelines.training.motion.paths import path
from pipelines.training.motion.world import ACROSS, ALONG, MOTIONS, random_clip
from pipelines.training.scenes.vocabulary import BACKGROUNDS, COLOURS, PLACES, THINGS


def examine(
    count: int, seed: int, alter: Callable[[np.ndarray], np.ndarray] = lambda frames: frames
) -> tuple[int, int]:
    """How many true clips pass, and how many of the swapped ones. `alter` may degrade the frames."""
    dice = random.Random(seed)
    right = wrong = 0
    for _ in range(count):
        clip = random_clip(dice)
        wording, seen = caption(clip, dice), watch(alter(draw(clip, path(clip))))
        right += not faults(seen, wording)
        wrong += not faults(seen, swapped(wording, dice))
    return right, wrong


def swapped(wording: Wording, dice: random.Random) -> Wording:
    """The same claims but for one, which now says something else."""
    choices = {
        "name": THINGS,
        "colour": tuple(COLOURS),
        "motion": MOTIONS,
        "background": BACKGROUNDS,
        "place": _other_places(wording),
    }
    field = dice.choice([name for name in choices if getattr(wording, name)])
    said = getattr(wording, field)
    return replace(wording, **{field: dice.choice([other for other in choices[field] if other != said])})


def _other_places(wording: Wording) -> tuple[str, ...]:
    """Places that the motion could not pass for."""
    if wording.motion in ACROSS:
        return ("top", "bottom")
    return ("left", "right") if wording.motion in ALONG else tuple(PLACES)
