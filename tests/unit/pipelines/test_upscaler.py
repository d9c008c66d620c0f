"""What the upscaler learns from: pictures, faults, crops, and a start that already enlarges."""

import random

import numpy as np
import pytest
import torch

from pipelines.training.scenes.draw import draw
from pipelines.training.scenes.sampling import random_scene
from pipelines.training.scenes.vocabulary import STYLES
from pipelines.training.upscaler import drawing, recipe
from pipelines.training.upscaler.evaluate import mean
from pipelines.training.upscaler.faults import faulty, reduced


@pytest.mark.parametrize("style", STYLES)
def test_large_pictures_are_the_small_ones_drawn_finer(style: str) -> None:
    scene = random_scene(random.Random(2), 1, style=style)
    small, large = (draw(scene, 5, scale).astype(float) for scale in (1, drawing.SCALE))

    difference = abs(reduced(large, drawing.SCALE) - small)

    assert np.median(difference) < 2
    assert difference.mean() < 8


def test_loose_scenes_are_never_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(drawing, "is_held_out", lambda thing, ground: asked.append((thing, ground)))

    picture = drawing.loose(random.Random(1), "flat")

    assert picture.shape == (256, 256, 3)
    assert {thing.place for thing, _ in asked} == {"left", "right", "top", "bottom", "middle"}


def test_reducing_takes_the_mean() -> None:
    picture = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)
    assert np.allclose(reduced(picture, 4)[0, 1], picture[:, 4:].mean((0, 1)))


def test_faults_are_mild_and_come_from_the_dice() -> None:
    small = reduced(drawing.training_picture(random.Random(3)), drawing.SCALE)
    made = [faulty(small, random.Random(seed)) for seed in range(20)]

    assert np.array_equal(made[4], faulty(small, random.Random(4)))
    assert any(np.array_equal(each, np.clip(small, 0, 255)) for each in made)  # some have none
    assert all(abs(each - small).mean() < 8 for each in made)


def test_a_batch_is_its_steps_alone() -> None:
    one, other = (recipe.batch(random.Random("0:7")) for _ in range(2))

    assert all(map(torch.equal, one, other))
    small, large = one
    assert small.shape == (recipe.PICTURES * recipe.CROPS, 3, recipe.CROP, recipe.CROP)
    assert large.shape[2:] == (4 * recipe.CROP, 4 * recipe.CROP)
    means = torch.nn.functional.avg_pool2d(large, 4)
    assert (means - small).abs().mean() < 0.03


def test_an_untrained_model_enlarges_smoothly() -> None:
    torch.manual_seed(0)
    model = recipe.build().eval()
    x, y = np.meshgrid(np.arange(64), np.arange(64))
    small = np.stack([2 * x + 40, 2 * y + 60, x + y + 30], -1).astype(np.uint8)

    large = recipe.enlarged(model, small)[32:-32, 32:-32].astype(float)

    wanted = recipe.bicubic(small, 4)[32:-32, 32:-32]
    assert abs(large - wanted).mean() < 16


def test_a_learner_goes_on_where_it_was(tmp_path) -> None:
    whole, begun = recipe.Upscaler(seed=3), recipe.Upscaler(seed=3)
    for number in range(3):
        whole.step(number)
    begun.step(0)
    torch.save(begun.state(), tmp_path / "state.pt")
    resumed = recipe.Upscaler(seed=9)
    resumed.seed = 3
    resumed.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    for number in (1, 2):
        resumed.step(number)

    assert all(torch.equal(value, resumed.average[name]) for name, value in whole.average.items())


def test_a_mean_comes_with_its_interval() -> None:
    assert mean([2.0, 3.0, 4.0, 3.0]) == "3.00 dB (2.20 to 3.80)"
