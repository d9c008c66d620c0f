"""Arguments to try functions with: letters of ASCII, whole numbers, one space between words."""

# ruff: noqa: E501 - tables

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

WORDS = (
    "apple", "level", "tree", "ABC", "Noon", "sun", "noon", "river", "Eagle", "owl", "kayak", "moon", "stone",
    "OWL", "bee", "radar", "umbrella", "ice", "grass", "Sea", "wind", "a", "field", "civic", "HILL", "yellow",
    "zebra", "queen", "violin", "dog", "cat", "banana", "hot", "mild", "pepper", "rocket", "glass", "Ink",
)  # fmt: skip


def draw(source: str, near: Sequence[Any], dice: random.Random) -> Any:  # noqa: PLR0911 - one a source
    """An argument of that source. Of what is in `near`, the function's constants, some is in it or next to it."""
    match source:
        case "numbers":
            return numbers(near, dice)
        case "range":
            return dice.randint(0, 24)
        case "digits":
            return dice.choice((dice.randint(0, 99), dice.randint(100, 99_999), dice.randint(10**6, 10**9)))
        case "table":
            return dict(zip(dice.sample(WORDS, 12), numbers(near, dice)[:12], strict=False))
        case "words":
            return [word(near, dice) for _ in range(dice.choice((0, 1, 3, 5, 7, 9)))]
        case "sentence":
            return " ".join(word(near, dice) for _ in range(dice.choice((1, 3, 5, 7, 9))))
        case _:
            return letters(near, dice)


def numbers(near: Sequence[Any], dice: random.Random) -> list[int]:
    """Up to ten whole numbers, some twice, some equal or next to what is near, or multiples of it."""
    known = [one for one in near if isinstance(one, int)]
    found = [dice.randint(-30, 60) for _ in range(dice.choice((0, 1, 3, 5, 7)))]
    for one in known:
        found += [one, one + dice.choice((-1, 1)), one * dice.randint(-3, 4)]
    found += [dice.choice(found) for _ in range(2) if found] + ([0] if dice.random() < 0.3 else [])
    dice.shuffle(found)
    return found[:12]


def word(near: Sequence[Any], dice: random.Random) -> str:
    known = [one for one in near if isinstance(one, str) and one.isalpha()]
    if not known or dice.random() < 0.5:
        return dice.choice(WORDS)
    letter, stem = dice.choice(known), dice.choice(WORDS)
    return dice.choice((letter + stem, stem + letter, stem[:1] + letter + stem[1:]))


def letters(near: Sequence[Any], dice: random.Random) -> str:
    text = " ".join(word(near, dice) for _ in range(dice.choice((1, 2, 3))))
    marks = list(text + "".join(dice.choices("0123456789!?,. AEIxyz", k=dice.randint(0, 5))))
    if dice.random() < 0.5:
        dice.shuffle(marks)
    return "".join(marks) if dice.random() < 0.93 else ""
