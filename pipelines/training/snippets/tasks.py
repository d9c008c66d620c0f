"""What every composed function offers, whatever it is made of, and which combinations training never sees."""

from __future__ import annotations

import random
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Protocol

PYTHON, JAVASCRIPT = "python", "javascript"
LANGUAGES = (PYTHON, JAVASCRIPT)
HELD_OUT = 0.12  # share of the combinations that training never sees


class Task(Protocol):
    """What a function does. Words and code are drawn anew at each call; what it does stays the same."""

    key: str  # what it does and nothing else: neither its name, nor its words, nor its constants
    pieces: int  # of which it is composed
    arguments: tuple[str, ...]
    hints: tuple[str, ...]  # Python's types of the arguments
    returns: str  # Python's type of the result
    label: str  # a name that tells all, in snake case

    def phrase(self, dice: random.Random) -> str:
        """What it returns: "the sum of the even numbers in the list"."""

    def order(self, dice: random.Random) -> str:
        """What to do, step by step, without the full stop; empty where it is not said so."""

    def body(self, language: str, dice: random.Random) -> list[str]:
        """The lines of the function's body, the first indent left out."""

    def inputs(self, dice: random.Random) -> list[Any]:
        """Arguments to try it with."""


def held_out(task: Task) -> bool:
    """Whether training never sees this combination. What is of one piece is always seen."""
    draw = int.from_bytes(sha256(task.key.encode()).digest()[:4]) / 2**32
    return task.pieces > 1 and draw < HELD_OUT


def function(task: Task, name: str, language: str, dice: random.Random) -> str:
    """The whole function, without comments."""
    return f"{signature(task, name, language)}{indented(task.body(language, dice), language)}"


def signature(task: Task, name: str, language: str, typed: bool = False) -> str:
    """The function's first line."""
    if language == JAVASCRIPT:
        return f"function {camel(name)}({', '.join(task.arguments)}) {{\n"
    if not typed:
        return f"def {name}({', '.join(task.arguments)}):\n"
    arguments = ", ".join(f"{one}: {hint}" for one, hint in zip(task.arguments, task.hints, strict=True))
    return f"def {name}({arguments}) -> {task.returns}:\n"


def indented(lines: Sequence[str], language: str) -> str:
    """A function's body, and in JavaScript the brace that closes it."""
    step, end = (" " * 4, "") if language == PYTHON else (" " * 2, "}\n")
    return "".join(f"{step}{line}\n" for line in lines) + end


def camel(name: str) -> str:
    """A name of snake case as JavaScript writes it."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)
