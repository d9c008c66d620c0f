"""The judge of clips: true ones pass, and those against one swapped word do not."""

import random
from dataclasses import replace

import numpy as np
import pytest

from pipelines.training.motion.captions import caption
from pipelines.training.motion.draw import draw
from pipelines.training.motion.exam import examine
from pipelines.training.motion.judge import faults, obeys, watch
from pipelines.training.motion.paths import path
from pipelines.training.motion.world import LIGHT, MOTIONS, Clip, random_clip

STAR = Clip("star", "yellow", "rising", "night")


@pytest.mark.parametrize("count", [30, pytest.param(300, marks=pytest.mark.slow)])
def test_it_knows_true_clips_from_swapped_ones(count):
    right, wrong = examine(count, seed=11)

    assert right >= 0.99 * count
    assert wrong <= 0.05 * count


@pytest.mark.parametrize("motion", MOTIONS)
def test_it_sees_each_motion(motion):
    clip = random_clip(random.Random(7), motion=motion)

    assert watch(draw(clip, path(clip))).motion == motion


def test_a_picture_that_stands_still_does_not_move():
    still = np.repeat(draw(STAR, path(STAR)[:1]), 16, 0)

    seen = watch(still)

    assert (seen.name, seen.colour, seen.background) == ("star", "yellow", "night")
    assert seen.motion is None


def test_frames_out_of_order_are_no_motion():
    frames = draw(STAR, path(STAR))

    assert watch(frames[[0, 9, 3, 14, 6, 1, 12, 4, 15, 2, 8, 11, 5, 13, 7, 10]]).motion is None


def test_backwards_is_another_motion():
    frames = draw(STAR, path(STAR))[::-1]

    assert watch(frames).motion == "falling"


def test_it_tells_what_is_wrong():
    wording = caption(STAR, random.Random(8))
    other = replace(STAR, colour="red", motion="falling")

    assert set(faults(watch(draw(other, path(other))), replace(wording, colour="yellow"))) == {
        "colour",
        "motion",
    }
    assert obeys(draw(STAR, path(STAR)), wording)


def test_a_light_that_does_not_change_is_no_nightfall():
    clip = random_clip(random.Random(9), motion="nightfall")
    frames = draw(clip, [replace(moment, light=0.0) for moment in path(clip)])

    seen = watch(frames)

    assert (seen.background, seen.ends_on) == ("day", "day")
    assert seen.motion not in LIGHT
