"""Clips: what they hold, how they move, what is said of them."""

import random
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
import torch

from pipelines.training.motion.captions import caption, of_picture
from pipelines.training.motion.draw import coverage, draw
from pipelines.training.motion.lessons import elsewhere, lesson
from pipelines.training.motion.paths import path
from pipelines.training.motion.world import FRAMES, LIGHT, MOTIONS, Clip, is_held_out, random_clip
from pipelines.training.scenes.vocabulary import COLOURS, PLACES, THINGS

RED = Clip("circle", "red", "rightwards", "white")


def test_training_never_draws_what_is_held_out():
    dice = random.Random(1)
    clips = [random_clip(dice) for _ in range(500)]

    assert not any(is_held_out(clip) for clip in clips)
    assert all(is_held_out(random_clip(dice, held_out=True)) for _ in range(20))
    assert {clip.motion for clip in clips} == set(MOTIONS)


def test_about_a_tenth_of_all_combinations_is_held_out():
    every = product(THINGS, COLOURS, MOTIONS, ("white", "sea"))

    share = np.mean([is_held_out(Clip(*each)) for each in every])

    assert 0.08 < share < 0.12


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_thing_stays_inside_and_its_path_has_no_jumps(motion):
    moments = path(replace(RED, motion=motion, background="day" if motion == "nightfall" else "night"))

    assert len(moments) == FRAMES
    for moment in moments:
        covered = coverage(RED, moment)
        assert covered[0].max() == covered[-1].max() == covered[:, 0].max() == covered[:, -1].max() == 0
    for one, next_ in pairwise(moments):
        assert np.hypot(next_.x - one.x, next_.y - one.y) < 8
        assert abs(next_.size - one.size) < 2


@pytest.mark.parametrize(("motion", "sign"), [("rightwards", 1), ("leftwards", -1)])
def test_what_moves_across_does_so_in_the_pixels(motion, sign):
    frames = draw(replace(RED, motion=motion), path(replace(RED, motion=motion))).astype(int)

    red = (frames[..., 0] - frames[..., 1]) > 100
    middles = [np.nonzero(each)[1].mean() for each in red]

    assert all(sign * (b - a) > 1 for a, b in pairwise(middles))


def test_silhouettes_between_pixels_keep_their_area():
    at = path(RED)[0]

    areas = [coverage(RED, replace(at, x=at.x + part)).sum() for part in (0.0, 0.25, 0.5, 0.75)]

    assert max(areas) - min(areas) < 0.01


def test_a_clip_from_a_picture_begins_where_the_picture_has_it():
    dice = random.Random(3)
    for _ in range(50):
        clip = random_clip(dice)
        moments = elsewhere(clip, dice)
        assert 18 <= moments[0].size <= 28
        off = [np.hypot(moments[0].x - x, moments[0].y - y) for x, y in PLACES.values()]
        assert min(off) < 3, "a little off one of the places"


def test_captions_say_the_motion_and_remember_what_they_said():
    dice = random.Random(4)
    for _ in range(200):
        clip = random_clip(dice)
        wording = caption(clip, dice, plain=True)
        assert wording.name in wording.text
        assert wording.colour is None or wording.colour in wording.text
        assert wording.motion == clip.motion
        assert len(wording.text) > len(wording.still) or clip.motion in LIGHT
        assert clip.name not in of_picture(clip, dice)


def test_wordings_may_leave_the_motion_out():
    dice = random.Random(5)

    wordings = [caption(random_clip(dice, motion="orbiting"), dice, silent=1.0) for _ in range(20)]

    assert all(wording.motion is None and wording.still in wording.text for wording in wordings)


@pytest.mark.parametrize("frames", [1, 4, 16])
def test_a_lesson_holds_the_frames_that_it_says(frames):
    made = lesson(random.Random(6), frames, 6)

    assert made.pixels.shape == (6, frames, 3, 64, 64)
    assert made.counts.shape == (6, 1, frames, 16, 16)
    assert len(made.captions) == 6
    assert made.shown.shape == ((6, 1) if frames == 1 else (frames,))
    assert not made.given.any() or made.shown[0] == 0
    assert torch.equal(made.pixels, lesson(random.Random(6), frames, 6).pixels)
