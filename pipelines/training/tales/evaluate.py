"""The figures of the tales model on combinations that training never met, and how much it copies."""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

from pipelines.training import course
from pipelines.training.figures import share
from pipelines.training.tales import exam, exercises
from pipelines.training.tales.exercises import Exercise, draw
from pipelines.training.tales.learner import EXERCISES
from pipelines.training.tales.telling import Teller
from pipelines.training.tales.tokens import WHOLE

NGRAM = 8  # words
OTHERS: tuple[Callable[..., Exercise], ...] = (
    exercises.begun,
    exercises.title,
    exercises.named,
    exercises.pictured,
    exercises.picture,
    exercises.blurb,
    exercises.asked,
    exercises.anything,
)


def load(folder: Path) -> Teller:
    """The exported model."""
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    return Teller(model, AutoTokenizer.from_pretrained(folder))


def held_out(make: Callable[..., Exercise], count: int, seed: int) -> list[Exercise]:
    """Exercises of combinations that training never met."""
    dice = random.Random(f"held out:{make.__name__}:{seed}")
    return [make(dice, True) for _ in range(count)]


def judged(teller: Teller, asked: Sequence[Exercise], seed: int) -> tuple[int, Counter[str], list[str]]:
    """How many answers have no fault, the faults, and the answers."""
    made = teller.tell(asked, seed)
    faults = [one.judge(text) for one, text in zip(asked, made, strict=True)]
    return sum(not found for found in faults), Counter(f for found in faults for f in found), made


def evaluate(folder: Path, count: int = 300, seed: int = 0) -> dict[str, Any]:
    """Tales on `count` requests, every other task on a third of that, the judges, and copying."""
    teller = load(folder)
    asked = held_out(exercises.tale, count, seed)
    passed, faults, made = judged(teller, asked, seed)
    figures: dict[str, Any] = {"tales": share(passed, count), "faults of tales": dict(faults)}
    holding = sum(holds_words(one, text) for one, text in zip(asked, made, strict=True))
    figures["tales that hold the words asked for"] = share(holding, count)
    for make in OTHERS:
        some = held_out(make, max(1, count // 3), seed)
        passed, _, _ = judged(teller, some, seed)
        figures[some[0].task] = share(passed, len(some))
    figures["judges"] = judges(count, seed)
    steps = json.loads((folder / "recipe.json").read_text())["steps"]
    figures["8-grams copied"] = copying(made, [one.answer for one in asked], steps)
    figures["seconds for 100 words"] = round(_seconds(teller), 2)
    return figures


def holds_words(asked: Exercise, made: str) -> bool:
    """Whether each creature, thing, colour, name and trait of the request stands somewhere in the answer."""
    words = set(re.findall(r"[a-z]+", re.sub("little story|fairy tale", "", asked.turns[-1].lower())))
    return {word for word in WHOLE if word.lower() in words} <= {
        word for word in WHOLE if re.search(rf"\b{word}\b", made, re.IGNORECASE)
    }


def judges(count: int, seed: int) -> dict[str, Any]:
    """Shares of right answers that pass, and of answers with one word swapped, over all tasks."""
    dice = random.Random(f"exam:{seed}")
    counts = [exam.examine(make, count // 3, dice) for make in exercises.TASKS]
    right, wrong, tried = (sum(column) for column in zip(*counts, strict=True))
    asked = count // 3 * len(counts)
    return {"right answers passed": share(right, asked), "swapped answers passed": share(wrong, tried)}


def copying(made: Sequence[str], fresh: Sequence[str], steps: int) -> dict[str, float]:
    """Shares of 8-grams that stand in the training text too: of what was made, and of fresh samples of the
    grammar for the same requests."""
    wanted, new = list(ngrams(made)), list(ngrams(fresh))
    among = set(wanted) | set(new)
    known = {gram for gram in ngrams(training_texts(steps)) if gram in among}
    shares = [sum(gram in known for gram in grams) / len(grams) for grams in (wanted, new)]
    return {
        "made": round(shares[0], 4),
        "fresh": round(shares[1], 4),
        "more": round(shares[0] - shares[1], 4),
    }


def training_texts(steps: int, seed: int = 0) -> Iterable[str]:
    """Every text that so many steps of training showed, drawn again from its seed."""
    for number in range(steps):
        dice = course.dice(seed, number)
        for _ in range(EXERCISES):
            one = draw(dice)
            yield one.answer if one.chat else f"{one.turns[0]}{one.answer}"


def ngrams(texts: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """All runs of eight words, small letters, without marks."""
    for text in texts:
        words = re.findall(r"[a-z']+", text.lower())
        yield from (tuple(words[at : at + NGRAM]) for at in range(len(words) - NGRAM + 1))


def _seconds(teller: Teller) -> float:
    """For 100 words, one request alone."""
    asked = held_out(exercises.tale, 5, 1)
    teller.tell(asked[:1], 0)
    started, words = time.monotonic(), 0
    for at in range(len(asked)):
        words += len(teller.tell(asked[at : at + 1], at)[0].split())
    return (time.monotonic() - started) / words * 100
