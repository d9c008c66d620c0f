"""house/tales through the family that serves it, and on what it never met (docs/models/tales.md).

The bounds are a little below what is measured here, for another processor rounds otherwise.
"""

import json
import random
from itertools import count

import pytest

from pipelines.base import Request, load_pipeline
from pipelines.catalog import Catalog
from pipelines.families._prompts import Prompter
from pipelines.kinds import parse_inputs
from pipelines.training.tales import evaluate, exercises
from pipelines.training.tales.evaluate import held_out, holds_words, judged
from pipelines.training.tales.manners import is_polite
from pipelines.training.tales.tokens import READ
from tests.families.trying import Told, run
from tests.servers import missing

MODEL = Catalog.load().get("house/tales")


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
        resolved = Catalog.load().resolve(kind, MODEL.name, {"seed": 1, **inputs})
        (outputs,) = run(pipeline, [Request(str(next(numbers)), kind, resolved.inputs)], Told())
        return [output.value for output in outputs]

    return say


def test_a_beginning_is_streamed_as_it_ends():
    resolved = Catalog.load().resolve("text", None, {"prompt": "Once upon a time", "seed": 1})
    told = Told()

    ((output,),) = run(load_pipeline(resolved.model, "cpu"), [Request("a", "text", resolved.inputs)], told)

    assert output.value == told.streamed["a", 0]
    assert len(output.value.split()) > 5


def most(passed):
    """Whether three in four are so: less than is measured, for another processor rounds otherwise."""
    return sum(passed) >= 0.75 * len(passed)


@pytest.mark.parametrize("kind", ["text", "chat"])
def test_a_tale_of_given_words(say, kind):
    words = "Tell a tale about a fox, a red boat and the sea."
    asked = {"prompt": words} if kind == "text" else {"messages": [{"role": "user", "content": words}]}

    told = say(kind, **asked, n=8)

    assert most(["fox" in text and "red boat" in text and "\n\n" in text for text in told])
    assert most([text.endswith((".", "!")) and 60 <= len(text.split()) <= 160 for text in told])


def test_the_words_of_its_picture_follow_a_tale(say):
    (tale,) = say("text", prompt="Tell a tale about a fox, a red boat and the sea.")

    assert most(["red boat" in text for text in say("text", prompt=tale, n=8)])


def test_a_beginning_goes_on(say):
    told = say("text", prompt="Once upon a time", n=8)

    assert most([text.endswith((".", "!")) and 60 <= len(text.split()) <= 160 for text in told])


@pytest.mark.parametrize("words", ["Hello!", "What is the capital of Australia?", "Fix my printer, please."])
def test_to_anything_else_it_says_what_it_can_do(say, words):
    told = say("chat", messages=[{"role": "user", "content": words}], n=8)

    assert most([is_polite(text) for text in told])


def test_what_is_asked_for_is_held_by_tales_that_it_never_met(teller):
    asked = held_out(exercises.tale, 40, seed=5)
    passed, faults, made = judged(teller, asked, seed=5)

    assert sum(map(holds_words, asked, made)) >= 36  # of more, 99 % are measured
    assert passed >= 36, faults  # 96 %


@pytest.mark.parametrize(
    ("make", "least"),
    [(exercises.begun, 18), (exercises.title, 17), (exercises.blurb, 18), (exercises.anything, 18)],
)
def test_it_obeys_on_what_it_never_met(teller, make, least):
    passed, faults, _ = judged(teller, held_out(make, 20, seed=5), seed=5)

    assert passed >= least, faults  # of more, 100, 99, 99 and 98 % are measured


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


def test_the_catalog_asks_as_the_figures_did():
    assert dict(MODEL.defaults) == json.loads((MODEL.weights / "recipe.json").read_text())["defaults"]


def test_the_judges_were_judged():
    figures = json.loads((MODEL.weights / "evaluation.json").read_text())["judges"]

    assert figures["right answers passed"]["share"] >= 0.99
    assert figures["swapped answers passed"]["share"] <= 0.05


@pytest.mark.slow
def test_the_whole_figure():
    kept = json.loads((MODEL.weights / "evaluation.json").read_text())

    figures = evaluate.evaluate(MODEL.weights, kept["tales"]["of"])

    for name in ("tales", "tales that hold the words asked for"):
        assert kept[name]["low"] <= figures[name]["share"] <= kept[name]["high"]
