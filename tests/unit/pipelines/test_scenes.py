"""The scenes' drawing, words and judge: what the model is trained on and marked by."""

import random

import numpy as np
import pytest

from pipelines.training.scenes import shapes
from pipelines.training.scenes.captions import ORDERED, caption
from pipelines.training.scenes.draw import draw
from pipelines.training.scenes.exam import blurred, examine
from pipelines.training.scenes.judge import look, obeys
from pipelines.training.scenes.sampling import random_scene
from pipelines.training.scenes.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    PLACES,
    THINGS,
    USUAL_COLOURS,
    Scene,
    Thing,
    background_pixels,
    default_background,
    is_clear,
    is_held_out,
)


@pytest.fixture
def dice():
    return random.Random(2024)


def test_the_same_seed_draws_the_same_pixels(dice):
    scene = random_scene(dice)
    assert np.array_equal(draw(scene, 5), draw(scene, 5))
    assert not np.array_equal(draw(scene, 5), draw(scene, 6))


def test_pictures_are_small_rgb_bytes(dice):
    picture = draw(random_scene(dice), 0)
    assert (picture.shape, picture.dtype) == ((64, 64, 3), np.uint8)


def test_the_judge_passes_true_renders_and_refuses_swapped_ones():
    passed, wrongly_passed = examine(300, seed=31)
    assert passed >= 0.99
    assert wrongly_passed <= 0.05


def test_the_judge_bears_some_blur():
    passed, wrongly_passed = examine(100, seed=32, alter=blurred)
    assert passed >= 0.9
    assert wrongly_passed <= 0.05


def test_the_judge_wants_a_thing_and_no_second_one():
    wording = caption(Scene((Thing("circle", "red", "middle", 20),), "blue"), random.Random(1))
    empty = background_pixels("blue").astype(np.uint8)
    two = draw(Scene((Thing("circle", "red", "middle", 16), Thing("star", "white", "top", 16)), "blue"), 0)
    assert not obeys(empty, wording)
    assert not obeys(two, wording)


def test_the_judge_sees_nothing_in_noise():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert look(noise).background is None


def test_the_judge_refuses_pictures_of_another_size():
    with pytest.raises(ValueError, match="64"):
        look(np.zeros((32, 32, 3), np.uint8))


def test_training_never_draws_a_held_out_combination(dice):
    scenes = [random_scene(dice) for _ in range(2000)]
    assert not any(is_held_out(thing, scene.background) for scene in scenes for thing in scene.things)


def test_the_evaluation_draws_only_held_out_combinations(dice):
    scenes = [random_scene(dice, things, held_out=True) for things in (1, 2) for _ in range(50)]
    assert all(is_held_out(thing, scene.background) for scene in scenes for thing in scene.things)


def test_about_a_tenth_is_held_out():
    held_out = [
        is_held_out(Thing(name, colour, place, 20), background)
        for name in THINGS
        for colour in COLOURS
        for place in PLACES
        for background in BACKGROUNDS
    ]
    assert 0.08 < np.mean(held_out) < 0.12


def test_words_claim_only_what_is_drawn_and_leave_out_only_what_goes_without_saying(dice):
    for _ in range(500):
        scene = random_scene(dice)
        wording = caption(scene, dice)
        colours = tuple(thing.colour for thing in scene.things)
        places = tuple(thing.place for thing in scene.things)
        assert (wording.background or default_background(colours)) == scene.background
        for thing, said in zip(scene.things, wording.things, strict=True):
            assert said.name == thing.name
            assert said.name in wording.text
            assert (said.colour or USUAL_COLOURS[said.name]) == thing.colour
        if wording.relation:
            assert wording.relation == places[0]
        elif wording.things[0].place is None:
            assert places == ORDERED[len(places)]


def test_words_come_back_from_the_picture(dice):
    scene = random_scene(dice, things=1)
    seen = look(draw(scene, 3))
    (thing,) = seen.things
    assert (thing.name, thing.colour, thing.place) == (
        scene.things[0].name,
        scene.things[0].colour,
        scene.things[0].place,
    )
    assert seen.background == scene.background


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_every_background_leaves_most_colours_clear(background):
    assert sum(is_clear(colour, background) for colour in COLOURS) >= 8


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="zebra"):
        shapes.mask("zebra", 20)
    with pytest.raises(ValueError, match="fog"):
        background_pixels("fog")
