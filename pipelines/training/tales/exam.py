"""Examines the judges: right answers must pass, answers in which one word is another must not."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from pipelines.training.scenes.vocabulary import COLOURS
from pipelines.training.tales.blurbs import MATERIALS, PEOPLE, QUALITIES
from pipelines.training.tales.exercises import Exercise
from pipelines.training.tales.phrases import article
from pipelines.training.tales.words import LIVES, MEN, THING_WORDS, TRAITS, WOMEN

KINDS = (  # words that can stand for each other
    tuple(COLOURS),
    THING_WORDS,
    tuple(LIVES),
    WOMEN,
    MEN,
    TRAITS,
    MATERIALS,
    QUALITIES,
    PEOPLE,
    ("left", "right"),
    ("night", "day"),
    ("Yes", "No"),
    tuple(str(number) for number in range(2, 100)),
)
ALWAYS_TOLD = ("question",)  # tasks in which every word of an answer matters


def examine(make: Callable[..., Exercise], count: int, dice: random.Random) -> tuple[int, int, int]:
    """How many right answers pass, how many with another word pass, and how many of those there were."""
    right = wrong = tried = 0
    for _ in range(count):
        one = make(dice, dice.random() < 0.5)
        right += not one.judge(one.answer)
        swapped = with_another_word(one, dice)
        if swapped is not None:
            tried += 1
            wrong += not one.judge(swapped)
    return right, wrong, tried


def with_another_word(one: Exercise, dice: random.Random) -> str | None:
    """The answer with a word that was asked for replaced throughout, or one that is repeated replaced once;
    None where there is no such word. The other word takes the same article."""
    words = re.findall(r"[A-Za-z]+|\d+", one.answer)
    asked = set(re.findall(r"[a-z]+|\d+", one.turns[-1].lower()))
    found = [
        (word, kind)
        for word in sorted(set(words))
        for kind in KINDS
        if _in(word, kind) and (one.task in ALWAYS_TOLD or word.lower() in asked or words.count(word) > 1)
    ]
    if not found:
        return None
    word, kind = dice.choice(found)
    others = [o for o in kind if o.lower() != word.lower() and article(o) == article(word)]
    if not others:
        return None
    other = dice.choice(others)
    if word.lower() in asked or one.task in ALWAYS_TOLD:
        return _replaced(one.answer, word, other)
    return _replaced(one.answer, word, other, once=True)


def _in(word: str, kind: tuple[str, ...]) -> bool:
    return word in kind or word.lower() in kind


def _replaced(text: str, word: str, other: str, once: bool = False) -> str:
    def cased(found: re.Match[str]) -> str:
        return other[0].upper() + other[1:] if found[0][0].isupper() else other

    return re.sub(rf"\b{word}\b", cased, text, count=int(once), flags=re.IGNORECASE)
