"""house/motion: the figure of its card, on a few prompts, and what the family does with it."""

import json

import numpy as np
import pytest

from pipelines.base import Request, load_pipeline
from pipelines.catalog import Catalog
from pipelines.training.motion.evaluate import Maker, from_pictures, held_out, named_right, obedience
from pipelines.training.motion.world import MOTIONS
from tests.servers import missing

MODEL = Catalog.load().get("house/motion")
OBEYED = 8  # of ten clips, one a motion, at least; the card has the figure
MOVED = 5  # of ten pictures
NAMED = 0.9  # of pictures in the flat style
FIGURES = MODEL.weights / "evaluation.json"


@pytest.fixture(scope="module", autouse=True)
def here():
    if not MODEL.is_here():
        missing("the weights of house/motion")


@pytest.fixture(scope="module")
def maker():
    return Maker(MODEL.weights)


@pytest.fixture(scope="module")
def asked():
    return held_out(len(MOTIONS), seed=9)


@pytest.fixture(scope="module")
def clips(maker, asked):
    return maker.clips([wording.text for _, wording in asked])


def test_the_row_makes_a_clip_of_two_seconds():
    resolved = Catalog.load().resolve(
        "text-to-video", None, {"prompt": "a red circle rises, night", "seed": 1}
    )

    ((output,),) = load_pipeline(resolved.model, "cpu").run(
        [Request("a", "text-to-video", resolved.inputs)], lambda step, total, previews=None: set()
    )

    assert resolved.model.name == MODEL.name
    assert output.value.frames.shape == (16, 64, 64, 3)
    assert output.value.fps == 8


def test_clips_obey_words_that_training_never_had_together(clips, asked):
    figures = obedience(clips, asked)

    assert figures["obeyed"]["passed"] >= OBEYED, figures["faults"]
    assert figures["faults"].get("colour", 0) == 0, "the scenes model's own part"


def test_clips_begin_with_their_pictures_and_move_them_as_said(maker):
    figures = from_pictures(maker, len(MOTIONS), seed=5)

    assert figures["first frame differs by (of 255)"] < 4
    assert figures["obeyed"]["passed"] >= MOVED, figures["faults"]


def test_pictures_are_named_that_training_never_had(maker):
    assert named_right(maker, 100, seed=5)["share"] >= NAMED


def test_noise_makes_the_difference(maker, asked):
    prompt = [asked[0][1].text]
    one, same, other = (
        maker.clips(prompt, seed=seed, num_inference_steps=3)[0].astype(int) for seed in (1, 1, 2)
    )

    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.slow
def test_the_figure_of_the_card():
    from pipelines.training.motion.evaluate import report

    kept = json.loads(FIGURES.read_text())
    again = report(MODEL.weights, kept["clips from words"]["of"], 0)

    assert again["clips from words"]["passed"] == kept["clips from words"]["passed"]
