"""The scenes' drawing, words and judge: what the model is trained on and marked by."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from pipelines.catalog import BUILT_IN
from pipelines.training.scenes import autoencoder, shapes, text
from pipelines.training.scenes.captions import ORDERED, caption
from pipelines.training.scenes.draw import draw
from pipelines.training.scenes.exam import blurred, examine
from pipelines.training.scenes.judge import look, obeys
from pipelines.training.scenes.sampling import random_scene
from pipelines.training.scenes.vocabulary import (
    BACKGROUNDS,
    COLOURS,
    PLACES,
    STYLES,
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


def test_the_judge_bears_some_blur_of_flat_pictures():
    passed, wrongly_passed = examine(40, seed=32, alter=blurred, style="flat")
    assert passed >= 0.9
    assert wrongly_passed <= 0.05


@pytest.mark.parametrize("style", STYLES)
def test_a_style_is_seen_and_no_other(style):
    scene = Scene((Thing("boat", "red", "left", 24),), "sea", style)
    picture = draw(scene, 1)
    said = caption(scene, random.Random(1), full=True)
    assert obeys(picture, said)
    assert not any(obeys(picture, replace(said, style=other)) for other in STYLES if other != style)


@pytest.mark.parametrize("style", STYLES)
def test_a_finer_drawing_is_the_same_picture(style):
    """Shrunk again, it is what the small one is, but for the width of a line."""
    scene = Scene((Thing("house", "blue", "right", 24),), "sunset", style)
    small, large = draw(scene, 4), draw(scene, 4, scale=4)
    shrunk = large.reshape(64, 4, 64, 4, 3).mean((1, 3))
    assert large.shape == (256, 256, 3)
    assert np.abs(shrunk - small).mean() < 6


@pytest.mark.parametrize("style", STYLES)
def test_every_style_leaves_most_pairs_of_colours_clear(style):
    clear = [is_clear(colour, background, style) for colour in COLOURS for background in BACKGROUNDS]
    assert np.mean(clear) > 0.7


def test_the_whole_wording_says_everything(dice):
    for _ in range(200):
        scene = random_scene(dice)
        wording = caption(scene, dice, full=True)
        assert (wording.background, wording.style) == (scene.background, scene.style)
        assert all(said.colour for said in wording.things)
        assert wording.relation or all(said.place for said in wording.things)


def test_an_extended_tokenizer_keeps_its_ids_and_has_the_new_words_whole():
    dice = random.Random(1)
    known = CLIPTokenizer.from_pretrained(BUILT_IN.parent / "house" / "scenes" / "tokenizer")
    larger = text.extended(known, ["zebra", "a", "zebras"])
    words = caption(random_scene(dice), dice).text
    assert larger.tokenize("zebra") == ["zebra</w>"]
    assert torch.equal(text.tokens(larger, [words]), text.tokens(known, [words]))


def test_latents_of_flat_pictures_are_held_while_the_autoencoder_learns_more():
    torch.manual_seed(0)
    trained = autoencoder.Normalised(autoencoder.build(width=8), anchored=True)
    pixels, flat = torch.rand(4, 3, 16, 16) * 2 - 1, torch.tensor([True, True, False, False])
    before = autoencoder.loss(trained.eval(), pixels, flat)
    with torch.no_grad():
        trained.model.encoder.layers[-1].bias += 1
    moved = autoencoder.loss(trained, pixels, flat) - before
    assert moved > 0.5 * autoencoder.ANCHOR
    assert not any(weight.requires_grad for weight in trained.anchor.parameters())


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
