"""Functions of one, two or three numbers: something done to each, an operation, something done to the result."""

# ruff: noqa: E501 - tables

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from pipelines.training.snippets.tasks import PYTHON


@dataclass(frozen=True)
class Change:
    """What is done to one number: in words, in both languages, in a name."""

    name: str
    says: tuple[str, ...]
    python: str
    javascript: str
    label: str
    integral: bool = True  # whether it says something only of whole numbers


@dataclass(frozen=True)
class Operation:
    """What is made of two or three numbers; `verb` is a name for it alone."""

    name: str
    says: tuple[str, ...]  # `{}`: "a and b", `{0}` and `{1}` where there are two
    python: str  # `{all}`: all of them behind commas; else `{0}` and `{1}`
    javascript: str
    labels: tuple[str, ...]
    joined_by: str = ""  # an operator between any number of them
    several: bool = False


CHANGES = (
    Change("square", ("the square of {}", "{} squared"), "{x} ** 2", "{x} ** 2", "square"),
    Change("cube", ("the cube of {}",), "{x} ** 3", "{x} ** 3", "cube"),
    Change("double", ("twice {}", "the double of {}"), "2 * {x}", "2 * {x}", "double"),
    Change("absolute", ("the absolute value of {}",), "abs({x})", "Math.abs({x})", "absolute"),
    Change("negate", ("the negative of {}", "minus {}"), "-{x}", "-{x}", "negative"),
    Change("half", ("half of {}",), "{x} / 2", "{x} / 2", "half"),
    Change("next", ("{} plus one", "one more than {}"), "{x} + 1", "{x} + 1", "next"),
    Change("less", ("{} minus one", "one less than {}"), "{x} - 1", "{x} - 1", "previous"),
)
PLURALS = {
    "square": "squares", "cube": "cubes", "double": "doubles", "absolute": "absolute values", "half": "halves",
    "negate": "negatives",
}  # fmt: skip
OPERATIONS = (
    Operation("sum", ("the sum of {}",), "", "", ("add", "sum", "sum_of", "plus"), " + ", True),
    Operation("product", ("the product of {}",), "", "", ("multiply", "product", "times"), " * ", True),
    Operation("difference", ("the difference of {}", "{0} minus {1}"), "", "",
              ("subtract", "difference", "minus"), " - "),
    Operation("quotient", ("{0} divided by {1}", "the quotient of {}"), "", "", ("divide", "quotient"), " / "),
    Operation("largest", ("the largest of {}", "the larger of {}", "the maximum of {}"), "max({all})",
              "Math.max({all})", ("largest", "maximum", "max_of"), "", True),
    Operation("smallest", ("the smallest of {}", "the smaller of {}", "the minimum of {}"), "min({all})",
              "Math.min({all})", ("smallest", "minimum", "min_of"), "", True),
    Operation("average", ("the average of {}", "the mean of {}"), "({sum}) / {count}", "({sum}) / {count}",
              ("average", "mean"), "", True),
    Operation("distance", ("the distance between {}", "the absolute difference of {}"), "abs({0} - {1})",
              "Math.abs({0} - {1})", ("distance", "absolute_difference")),
)  # fmt: skip
NAMES = (
    ("a", "b", "c"),
    ("x", "y", "z"),
    ("first", "second", "third"),
    ("p", "q", "r"),
    ("left", "right", "top"),
)
ALONE = ("n", "x", "number", "value", "a")


@dataclass(frozen=True)
class Formula:
    """outer(operation(inner(a), inner(b))); without an operation, outer(inner(x))."""

    arguments: tuple[str, ...]
    inner: Change | None
    operation: Operation | None
    outer: Change | None
    verb: str

    @property
    def pieces(self) -> int:
        return sum(map(bool, (self.inner, self.operation, self.outer)))

    @property
    def key(self) -> str:
        names = (one.name if one else "-" for one in (self.inner, self.operation, self.outer))
        return f"formula {len(self.arguments)} {' '.join(names)}"

    @property
    def hints(self) -> tuple[str, ...]:
        return ("float",) * len(self.arguments)

    @property
    def returns(self) -> str:
        return "float"

    @property
    def label(self) -> str:
        inner = self.inner.label if self.inner else ""
        if self.operation and inner:
            inner = PLURALS[self.inner.name].replace(" ", "_") if self.inner else ""
        parts = (self.outer.label if self.outer else "", self.verb, inner)
        return (
            "_of_".join(part.removesuffix("_of") for part in parts if part)
            if self.pieces > 1
            else "".join(parts)
        )

    def phrase(self, dice: random.Random) -> str:
        if self.operation:
            said = self._operated(self.operation, dice)
        else:
            said = self._changed(self.inner, self.arguments[0], dice) if self.inner else self.arguments[0]
        return self._changed(self.outer, said, dice) if self.outer else said

    def _operated(self, operation: Operation, dice: random.Random) -> str:
        names = self.arguments
        listed = f"{', '.join(names[:-1])} and {names[-1]}"
        if not self.inner:
            return (
                dice.choice(operation.says).format(listed, *names[1:])
                if len(names) > 2
                else self._pair(operation, dice)
            )
        says = operation.says[0] if "{}" in operation.says[0] else operation.says[-1]
        return says.format(f"the {PLURALS[self.inner.name]} of {listed}")

    def _pair(self, operation: Operation, dice: random.Random) -> str:
        says, (one, two) = dice.choice(operation.says), self.arguments
        return says.format(one, two) if "{0}" in says else says.format(f"{one} and {two}")

    @staticmethod
    def _changed(change: Change, what: str, dice: random.Random) -> str:
        fitting = change.says if " " not in what else change.says[:1]
        return dice.choice(fitting).format(what)

    def order(self, dice: random.Random) -> str:
        return ""

    def body(self, language: str, dice: random.Random) -> list[str]:
        python = language == PYTHON

        def code(change: Change, of: str) -> str:
            return (change.python if python else change.javascript).format(x=of)

        def safe(text: str) -> str:
            is_call = text.endswith(")") and text.partition("(")[0].replace(".", "").isalpha()
            return text if text.isidentifier() or is_call else f"({text})"

        terms = [code(self.inner, name) if self.inner else name for name in self.arguments]
        whole = terms[0]
        if self.operation:
            one = self.operation
            if one.joined_by:
                tight = one.joined_by != " + "
                whole = one.joined_by.join(map(safe, terms) if tight else terms)
            else:
                apart = [safe(term) for term in terms] if "{0}" in one.python else terms
                template = one.python if python else one.javascript
                whole = template.format(*apart, all=", ".join(terms), sum=" + ".join(terms), count=len(terms))
        if self.outer:
            call = "(" in (self.outer.python if python else self.outer.javascript)
            whole = code(self.outer, whole if call else safe(whole))
        return [f"return {whole}" if python else f"return {whole};"]

    def inputs(self, dice: random.Random) -> list[Any]:
        return [dice.randint(-20, 40) for _ in self.arguments]


def draw(dice: random.Random) -> Formula:
    while True:
        operation = dice.choice(OPERATIONS) if dice.random() < 0.85 else None
        inner = dice.choice(CHANGES) if dice.random() < (0.5 if operation else 1) else None
        outer = dice.choice(CHANGES) if dice.random() < (0.5 if operation else 0.4) else None
        if operation and inner and inner.name not in PLURALS:
            continue
        if inner and outer and not operation and inner is outer:
            continue
        count = (3 if operation.several and dice.random() < 0.35 else 2) if operation else 1
        names = dice.choice(NAMES)[:count] if operation else (dice.choice(ALONE),)
        return Formula(names, inner, operation, outer, dice.choice(operation.labels) if operation else "")
