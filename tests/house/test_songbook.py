"""house/songbook and house/songbook-lstm write what is wished for, on combinations that they never met."""

import json

import pytest

from pipelines.catalog import Catalog
from pipelines.music.writer import Writer
from pipelines.training.songbook.evaluate import evaluate, figures, held_out_wishes
from pipelines.training.songbook.exam import exam
from tests.servers import missing

WISHES = 32
"""Of the quick tests: a seed of their own, so that they are not the card's."""


@pytest.fixture(scope="module", params=["house/songbook", "house/songbook-lstm"])
def model(request):
    model = Catalog.load().get(request.param)
    if not model.is_here():
        missing(f"the weights of {request.param}")
    return model


@pytest.fixture(scope="module")
def measured(model):
    wishes = [wish for wish in held_out_wishes(4 * WISHES, seed=1) if wish.bars <= 8][:WISHES]
    return figures(wishes, Writer.load(model.weights).write(wishes, range(len(wishes)), together=WISHES))


def test_the_judge_knows_true_pieces_from_swapped_ones():
    seen = exam(200, seed=1)
    assert seen["true pieces passed"]["share"] >= 0.99
    assert seen["pieces with one thing swapped passed"]["share"] <= 0.05
    assert seen["composed bars that keep the rules"]["share"] >= 0.97
    assert seen["bars with a note spoilt called right"]["share"] <= 0.2


def test_wishes_are_kept(measured):
    assert measured["wishes kept"]["share"] >= 0.9


def test_bars_keep_the_rules_of_harmony(measured):
    assert measured["bars that keep the rules"]["share"] >= 0.86


def test_the_card_tells_what_was_measured(model):
    told = json.loads((model.weights / "evaluation.json").read_text())
    assert told["wishes kept"]["of"] >= 200
    assert told["wishes kept"]["share"] >= 0.95
    assert told["bars that keep the rules"]["share"] >= 0.9


@pytest.mark.slow
def test_the_whole_figure(model):
    told = evaluate(model.weights, 300, 1)
    assert told["wishes kept"]["share"] >= 0.95
    assert told["bars that keep the rules"]["share"] >= 0.9
