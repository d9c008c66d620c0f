"""Functions over many elements: where they come from, which are kept, what each becomes, how the list is
arranged, and what becomes of it all."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from pipelines.training.snippets import samples
from pipelines.training.snippets.operations import (
    ARRANGEMENTS,
    FILTERS,
    LETTER,
    MAPS,
    NUMBER,
    REDUCTIONS,
    SOURCES,
    WORD,
    Arrangement,
    Filter,
    Map,
    Reduction,
    Source,
)
from pipelines.training.snippets.tasks import PYTHON

ARGUMENTS = {  # names of an argument that takes a constant's place
    "number": ("k", "limit", "size", "amount", "bound"),
    "letter": ("letter", "char", "mark"),
    "separator": ("separator", "sep"),
}
SEPARATORS = {", ": "comma", "-": "hyphen", " ": "space", "/": "slash", "; ": "semicolon", "_": "underscore"}
NEVER_NEGATIVE = {"negative", "positive", "absolute"}  # say nothing of numbers that are above zero anyway
IN_ORDER = {"ascending", "distinct", "unmultiple"}  # nor do these of 1 to n
WITH = {  # reductions whose list may be arranged before, and how
    "sum": ("distinct", "first", "last", "alternate"),
    "product": ("distinct", "first", "last"),
    "average": ("distinct", "first", "last"),
    "joined": ("ascending", "alphabetical", "by_length", "backward", "distinct", "first", "last"),
    "glued": ("alphabetical", "backward", "distinct", "first", "alternate"),
    "count": ("distinct",),
    "largest": ("first", "last"),
    "smallest": ("first", "last"),
}
ASKS = ("some", "every")  # reductions that take the filter for a question
HINTS = {NUMBER: "int", WORD: "str", LETTER: "str"}


@dataclass(frozen=True)
class Constant:
    """A constant of the function, or the argument that takes its place."""

    value: Any
    argument: str = ""

    def code(self) -> str:
        if self.argument:
            return self.argument
        return f'"{self.value}"' if isinstance(self.value, str) else str(self.value)

    def words(self, quote: str) -> str:
        if self.argument:
            return self.argument
        return f"{quote}{self.value}{quote}" if isinstance(self.value, str) else str(self.value)

    def label(self) -> str:
        return self.argument or SEPARATORS.get(self.value, str(self.value))


@dataclass(frozen=True)
class Listed:
    """A function over many elements. `constants` are those of its pieces, by the piece's name."""

    source: Source
    argument: str
    filters: tuple[Filter, ...]
    map: Map | None
    arrangement: Arrangement | None
    reduction: Reduction | None
    constants: dict[str, Constant] = field(hash=False)

    @property
    def parts(self) -> list[Any]:
        return [one for one in (*self.filters, self.map, self.arrangement, self.reduction) if one]

    @property
    def pieces(self) -> int:
        return len(self.parts)

    @property
    def key(self) -> str:
        rest = (one.name if one else "-" for one in (self.map, self.arrangement, self.reduction))
        return " ".join([self.source.name, *sorted(one.name for one in self.filters), *rest])

    @property
    def arguments(self) -> tuple[str, ...]:
        return (self.argument, *(one.argument for one in self.constants.values() if one.argument))

    @property
    def hints(self) -> tuple[str, ...]:
        others = (
            "int" if isinstance(one.value, int) else "str" for one in self.constants.values() if one.argument
        )
        return (self.source.hint, *others)

    @property
    def element(self) -> str:
        """What the list holds when all its elements were mapped."""
        return self.map.becomes if self.map else self.source.element

    @property
    def returns(self) -> str:
        return self.reduction.returns if self.reduction else f"list[{HINTS[self.element]}]"

    @property
    def label(self) -> str:
        labels = [self.reduction, self.map, *self.filters]
        words = [self._label(one) for one in labels if one] + [self.source.label]
        return "_".join([*words, self._label(self.arrangement)] if self.arrangement else words)

    def _label(self, part: Any) -> str:
        constant = self.constants.get(part.name)
        return part.label.format(k=constant.label() if constant else "")

    # In words

    def phrase(self, dice: random.Random) -> str:
        quote = dice.choice("'\"")
        elements = self._elements(dice, quote)
        if self.reduction and self.reduction.name in ASKS:
            says, say = self._said(dice.choice(self.filters[0].says), self.filters[0], quote)
            return dice.choice(self.reduction.of).format(many=elements, says=says, say=say)
        for part in (self.map, self.arrangement):
            if part:
                elements = dice.choice(part.of).format(elements, k=self._word(part, quote))
        if not self.reduction:
            return elements
        if self.reduction.name == "count" and dice.random() < 0.7:
            return f"the number of {elements.removeprefix('the ')}"
        return dice.choice(self.reduction.of).format(elements, k=self._word(self.reduction, quote)).strip(",")

    def order(self, dice: random.Random) -> str:
        if self.reduction and self.reduction.name in ASKS:
            return ""
        quote = dice.choice("'\"")
        begins = ("take", "keep only", "look at") if self.filters else ("take", "look at")
        steps = [f"{dice.choice(begins)} {self._elements(dice, quote)}"]
        one = self.source.nouns[0][0]
        for part in (self.map, self.arrangement, self.reduction):
            if part:
                says = dice.choice(part.each if isinstance(part, Map) else part.then)
                steps.append(says.format(one=one, k=self._word(part, quote)))
        if not self.reduction:
            steps.append(dice.choice(("return the list", "return the result")))
        return f"{', '.join(steps[:-1])} and {steps[-1]}" if len(steps) > 1 else steps[0]

    def _elements(self, dice: random.Random, quote: str) -> str:
        """ "the even numbers in the list that are above 3" """
        noun = dice.choice(self.source.nouns)[1]
        place = dice.choice(self.source.places).format(arg=self.argument)
        asks = self.reduction is not None and self.reduction.name in ASKS
        kept = () if asks else self.filters
        before = [one.adjective for one in kept if one.adjective and dice.random() < 0.8]
        later = [one for one in kept if one.adjective not in before or not one.adjective]
        after = [self._said(dice.choice(one.says), one, quote)[1] for one in later]
        who = " ".join(["the", *before, noun, *([place] if place else [])])
        return f"{who} that {' and '.join(after)}" if after else who

    def _said(self, says: tuple[str, str], kept: Filter, quote: str) -> tuple[str, str]:
        word = self._word(kept, quote)
        return says[0].format(k=word), says[1].format(k=word)

    def _word(self, part: Any, quote: str) -> str:
        constant = self.constants.get(part.name)
        if constant is None:
            return ""
        if isinstance(constant.value, str) and not constant.argument and constant.value in SEPARATORS:
            return f'"{constant.value}"'
        return constant.words(quote)

    # In code

    def body(self, language: str, dice: random.Random) -> list[str]:
        from pipelines.training.snippets import javascript, python

        return (python if language == PYTHON else javascript).body(self, dice)

    def inputs(self, dice: random.Random) -> list[Any]:
        """An argument of its source, and the constants that are arguments."""
        hints = [one.value for one in self.constants.values()]
        first = samples.draw(self.source.name, hints, dice)
        return [first, *(_other(one.value, dice) for one in self.constants.values() if one.argument)]


def _other(value: Any, dice: random.Random) -> Any:
    """Another value of its sort."""
    if isinstance(value, int):
        return max(1, value + dice.randint(-3, 3))
    return dice.choice(tuple(SEPARATORS)) if value in SEPARATORS else dice.choice("aeiorstn")


def draw(dice: random.Random) -> Listed:
    """A function at random; about half the elements are filtered, mapped, arranged or reduced."""
    while True:
        source = dice.choices(SOURCES, weights=(4, 2, 1.5, 1.5, 4, 2, 3))[0]
        task = _composed(source, dice)
        if task is not None:
            return task


def _composed(source: Source, dice: random.Random) -> Listed | None:
    count = dice.choices((0, 1, 2), weights=(35, 55, 10))[0]
    filters = tuple(dice.sample([one for one in FILTERS if one.element == source.element], count))
    mapping = (
        dice.choice([one for one in MAPS if one.element == source.element]) if dice.random() < 0.55 else None
    )
    element = mapping.becomes if mapping else source.element
    reduction = (
        dice.choice([one for one in REDUCTIONS if element in one.elements]) if dice.random() < 0.7 else None
    )
    arrangement = None
    if dice.random() < (0.15 if reduction else 0.45):
        fitting = [one for one in ARRANGEMENTS if element in one.elements]
        if reduction:
            fitting = [one for one in fitting if one.name in WITH.get(reduction.name, ())]
        arrangement = dice.choice(fitting) if fitting else None
    task = Listed(source, "", filters, mapping, arrangement, reduction, {})
    return _with_constants(task, dice) if makes_sense(task) else None


def makes_sense(task: Listed) -> bool:  # noqa: PLR0911 - a list of what does not
    """Whether somebody might want such a function."""
    names = {one.name for one in task.parts}
    element, reduction = task.source.element, task.reduction.name if task.reduction else ""
    if (
        not names
        or {"even", "odd"} <= names
        or {"positive", "negative"} <= names
        or {"capital", "small"} <= names
    ):
        return False
    if task.source.name in ("range", "digits") and names & NEVER_NEGATIVE:
        return False
    if task.source.name == "range" and names & IN_ORDER:
        return False
    if task.source.name == "digits" and names & {"single", "last_digit"}:
        return False
    if reduction in ASKS:
        return len(task.filters) == 1 and not task.map and not task.arrangement
    if reduction == "count":
        return bool(task.arrangement or (task.filters and not task.map))
    if reduction == "tally":
        return element in (LETTER, WORD) or bool(task.map)
    if element == LETTER and not task.reduction and not task.arrangement:
        return bool(task.filters or task.map)
    return True


def _with_constants(task: Listed, dice: random.Random) -> Listed:
    argument = dice.choice(task.source.arguments)
    constants: dict[str, Constant] = {}
    given = dice.random() < 0.2  # whether one of them is an argument
    for part in task.parts:
        if part.constant:
            free = [one for one in ARGUMENTS[part.constant] if one != argument]
            constants[part.name] = Constant(
                _value(part, task.source, dice), dice.choice(free) if given else ""
            )
            given = False
    return Listed(task.source, argument, task.filters, task.map, task.arrangement, task.reduction, constants)


def _value(part: Any, source: Source, dice: random.Random) -> Any:
    if part.constant == "letter":
        return dice.choice("abcdefghiklmnoprstuvwyz")
    if part.constant == "separator":
        return dice.choice(tuple(SEPARATORS))
    if part.name in ("multiple", "unmultiple", "first", "last", "longer", "shorter", "sized", "beginning"):
        return dice.randint(2, 9)
    if source.name == "digits" and isinstance(part, Filter):
        return dice.randint(1, 8)
    return dice.choice((dice.randint(1, 12), dice.randint(1, 50), dice.choice((10, 20, 50, 100))))
