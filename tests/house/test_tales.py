"""house/tales does what it is asked, on combinations that it never met, through the family that serves it."""

import json
import random
from itertools import count

import pytest

from pipelines.base import Request, load_pipeline
from pipelines.catalog import Catalog
from pipelines.families._prompts import Prompter
from pipelines.kinds import parse_inputs
from pipelines.training.tales import evaluate, exercises, scenes
from pipelines.training.tales.evaluate import held_out, judged
from pipelines.training.tales.exercises import judge_tale, judge_text
from pipelines.training.tales.manners import is_polite
from pipelines.training.tales.tokens import READ
from tests.servers import missing

MODEL = Catalog.load().get("house/tales")
FOX = {"hero": "fox", "colour": "red", "thing": "boat", "when": "sea"}


@pytest.fixture(scope="module", autouse=True)
def here():
    if not MODEL.is_here():
        missing("the weights of house/tales")


@pytest.fixture(scope="module")
def teller():
    return evaluate.load(MODEL.weights)


@pytest.fixture(scope="module")
def say():
    """What the catalog's model answers to (kind, inputs), as a worker's engine would get it."""
    pipeline, numbers = load_pipeline(MODEL, "cpu"), count()

    def say(kind, **inputs):
        made = {}

        class Emit:
            def stopped(self, request):
                return False

            def delta(self, request, index, text): ...

            def progress(self, request, step, total): ...

            def done(self, request, outputs):
                made["texts"] = [output.value for output in outputs]

            def failed(self, request, error):
                raise error

        resolved = Catalog.load().resolve(kind, MODEL.name, {"seed": 1, **inputs})
        pipeline.serve([Request(str(next(numbers)), kind, resolved.inputs)], Emit())
        return made["texts"]

    return say


def most(faults):
    """Whether three in four have none: far below the card's figure, so that another processor's rounding
    cannot fail it."""
    return sum(not found for found in faults) >= 0.75 * len(faults)


def test_a_tale_of_given_words(say):
    told = say("text", prompt="Tell a tale about a fox, a red boat and the sea.", n=8)

    assert most([judge_tale(text, FOX) for text in told])


def test_the_words_of_its_picture_follow_a_tale(say):
    tale = next(
        text
        for text in say("text", prompt="Tell a tale about a fox, a red boat and the sea.", n=8)
        if not judge_tale(text, FOX)
    )
    wanted = {"thing1": "boat", "colour1": "red", "ground": "sea"}

    words = say("text", prompt=tale, n=8)

    assert most([[] if scenes.read_caption(text, wanted) else ["caption"] for text in words])


def test_a_beginning_goes_on(say):
    told = say("text", prompt="Once upon a time", n=8)

    assert most([judge_text(f"Once upon a time{text}")[0] for text in told])


def test_a_conversation(say):
    asked = [
        {"role": "user", "content": "Picture: a red circle above a blue square. What colour is the square?"}
    ]
    first = say("chat", messages=asked, n=8)
    assert most([[] if "blue" in text else ["answer"] for text in first])

    asked += [
        {"role": "assistant", "content": "It is blue."},
        {"role": "user", "content": "Is there a tree?"},
    ]
    second = say("chat", messages=asked, n=8)
    assert most([[] if text.startswith("No,") else ["answer"] for text in second])


@pytest.mark.parametrize("words", ["Hello!", "What is the capital of Australia?", "Fix my printer, please."])
def test_to_anything_else_it_says_what_it_can_do(say, words):
    told = say("chat", messages=[{"role": "user", "content": words}], n=8)

    assert most([[] if is_polite(text) else ["manners"] for text in told])


@pytest.mark.parametrize("make", exercises.TASKS)
def test_it_obeys_on_what_it_never_met(teller, make):
    asked = held_out(make, 40 if make is exercises.tale else 12, seed=5)
    passed, faults, _ = judged(teller, asked, seed=5)

    assert passed >= 0.75 * len(asked), faults


def test_the_family_reads_prompts_as_training_wrote_them(teller):
    prompter, dice = Prompter(teller.tokenizer), random.Random(0)
    for _ in range(60):
        one = exercises.draw(dice)
        roles = ("user", "assistant")
        inputs = {
            "text": {"prompt": one.turns[0]},
            "chat": {"messages": [{"role": roles[i % 2], "content": t} for i, t in enumerate(one.turns)]},
        }
        kind = "chat" if one.chat else "text"

        assert prompter.read(kind, parse_inputs(kind, inputs[kind])).ids == teller.speller.prompt(one)


def test_a_long_conversation_is_read_from_its_end(teller):
    turns = [
        {"role": "user", "content": f"{number}?"}
        if number % 2 == 0
        else {"role": "assistant", "content": "No."}
        for number in range(READ + 4)
    ]
    told = [{"role": "system", "content": "Speak French."}, *turns]
    prompter = Prompter(teller.tokenizer)

    read = prompter.read("chat", parse_inputs("chat", {"messages": told})).ids

    assert read == prompter.read("chat", parse_inputs("chat", {"messages": turns[-READ:]})).ids


def test_the_card_quotes_the_evaluation():
    figures = json.loads((MODEL.weights / "evaluation.json").read_text())

    assert figures["tales"]["share"] >= 0.95
    assert figures["8-grams copied"]["more"] <= 0.02
    assert figures["judges"]["right answers passed"]["share"] >= 0.99
    assert figures["judges"]["swapped answers passed"]["share"] <= 0.05


@pytest.mark.slow
def test_the_whole_figure():
    kept = json.loads((MODEL.weights / "evaluation.json").read_text())

    figures = evaluate.evaluate(MODEL.weights)

    assert kept["tales"]["low"] <= figures["tales"]["share"] <= kept["tales"]["high"]
    assert figures["8-grams copied"]["more"] <= 0.02
