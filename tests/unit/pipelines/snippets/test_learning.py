"""How examples are laid out for the snippets model, and that its training learns and resumes."""

import argparse
import random

import pytest
import torch

from pipelines.training import course
from pipelines.training.snippets import batches, learner, texts, tokens
from pipelines.training.snippets.tasks import PYTHON


@pytest.fixture(scope="module")
def tokenizer():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "READ", 600)
        patch.setattr(texts, "LIBRARY", 0.0)  # reading the whole standard library takes some seconds
        return tokens.build_tokenizer()


@pytest.fixture(autouse=True)
def composed_only(monkeypatch):
    monkeypatch.setattr(texts, "LIBRARY", 0.0)


@pytest.fixture(scope="module")
def encoder(tokenizer):
    return tokens.Encoder(tokenizer)


@pytest.mark.parametrize("form", texts.FORMS)
def test_an_example_is_laid_out_as_its_request_will_be(encoder, form):
    dice = random.Random(1)
    one = texts.ask(texts.seen(dice), dice, form, PYTHON).example
    ids, begin = encoder.encode(one)

    assert ids[:begin] == encoder.prompter.read("code", one.asked).ids
    assert encoder.tokenizer.decode(ids[begin:-1]) == one.answer
    assert ids[-1] == encoder.tokenizer.eos_token_id
    assert ids.count(encoder.tokenizer.bos_token_id) == 1


def test_every_text_comes_back_from_its_tokens(tokenizer):
    for text in ("def f(x):\n    return x ** 12\n", "äöü €", "\t`${a}`\r\n", "a1b22"):
        ids = tokenizer(text, add_special_tokens=False).input_ids
        assert tokenizer.decode(ids) == text
    assert len(tokenizer("12345", add_special_tokens=False).input_ids) >= 5  # digits stand alone


def test_examples_in_a_row_do_not_see_each_other(encoder):
    batch = batches.draw(encoder, random.Random(2), 2)
    begins = (batch.places == 0) & (batch.ids == encoder.tokenizer.bos_token_id)

    assert batch.ids.shape == (2, batches.ROOM)
    assert begins.sum() >= 4
    for row, begin in begins.nonzero().tolist():
        assert not batch.sees[row, 0, begin:, :begin][batch.places[row, begin:] < 1].any()
        assert batch.sees[row, 0, begin].sum() == 1
    assert not batch.sees.triu(1).any()
    assert not (batch.answered & batch.asked).any()
    ends = batch.ids == encoder.tokenizer.eos_token_id
    assert (batch.answered & ends).sum() == begins.sum()


def test_neighbours_change_nothing(encoder):
    """The loss of packed examples is that of each alone."""
    torch.manual_seed(0)
    model = learner.build(encoder.tokenizer).eval()
    batch = batches.draw(encoder, random.Random(3), 1)
    begins = [*(batch.places[0] == 0).nonzero()[:, 0].tolist(), batches.ROOM]
    with torch.no_grad():
        packed = model(input_ids=batch.ids, attention_mask=batch.sees, position_ids=batch.places).logits[0]
        alone = model(input_ids=batch.ids[:, begins[1] : begins[2]]).logits[0]
    assert torch.allclose(packed[begins[1] : begins[2]], alone, atol=1e-4)


@pytest.fixture
def small(monkeypatch, tokenizer):
    """A small learner, three steps long."""
    shape = {"hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    monkeypatch.setattr(learner, "SHAPE", shape)
    monkeypatch.setattr(learner, "build_tokenizer", lambda seed: tokenizer)
    monkeypatch.setattr(learner, "STEPS", 3)
    monkeypatch.setattr(learner, "PHASES", (learner.Phase(1, 2, 0.0), learner.Phase(3, 1, 0.3)))
    return lambda: learner.SnippetsLearner(argparse.Namespace(seed=0, begin_with=None))


def test_a_resumed_training_is_the_same_training(small):
    whole, begun = small(), small()
    figures = [whole.step(number) for number in range(3)]
    begun.step(0)
    state = begun.state()
    resumed = small()
    resumed.restore(state)

    assert [resumed.step(number) for number in (1, 2)] == figures[1:]


def test_training_learns_an_example_by_heart(small, monkeypatch):
    made = small()
    monkeypatch.setattr(learner, "PHASES", (learner.Phase(100, 1, 0.0),))
    monkeypatch.setattr(course, "dice", lambda seed, number: random.Random(4))
    monkeypatch.setattr(learner, "dice", lambda seed, number: random.Random(4))
    made.steps = 100
    losses = [made.step(number)["loss"] for number in range(40)]

    assert losses[-1] < 0.8 * losses[0]


def test_the_rate_rises_stays_and_falls_in_each_cycle(small, monkeypatch):
    monkeypatch.setattr(learner, "CYCLES", ((1000, 1.0), (3000, 0.5)))
    made = small()
    rates = [made.rate(number) for number in range(3000)]

    for begin, end, peak in ((0, 1000, 1.0), (1000, 3000, 0.5)):
        cycle = rates[begin:end]
        assert cycle[0] < cycle[learner.WARM_UP - 1] == cycle[len(cycle) // 2] == peak
        assert cycle[-1] <= 0.011
        assert cycle == sorted(cycle[:100]) + sorted(cycle[100:], reverse=True)
