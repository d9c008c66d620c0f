"""What the model reads and writes: requests as a caller makes them, and what answers them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from pipelines.kinds.texts import Code
from pipelines.training.snippets import classics, formulas, library, listed, pages
from pipelines.training.snippets.tasks import (
    JAVASCRIPT,
    LANGUAGES,
    PYTHON,
    Task,
    camel,
    held_out,
    indented,
    signature,
)

FENCE = "```"
INSTRUCTED, DOCUMENTED, COMMENTED, SIGNED, INFILLED = (
    "instructed",
    "documented",
    "commented",
    "signed",
    "infilled",
)
FORMS = (INSTRUCTED, DOCUMENTED, COMMENTED, SIGNED, INFILLED)
WEIGHTS = (38, 33, 6, 9, 14)  # how often each form is drawn
LIBRARY = 0.03  # share of the examples that are of the standard library
VAGUE = (
    "f", "solve", "compute", "process", "run", "answer", "transform", "calculate", "result", "task", "func",
    "helper", "my_function", "do_it", "main", "go", "work_out", "get_result",
)  # fmt: skip
SHOWN = {PYTHON: "Python", JAVASCRIPT: "JavaScript"}
OTHER_NAMES = {PYTHON: ("py", "python3", "Python"), JAVASCRIPT: ("js", "JavaScript")}


@dataclass(frozen=True)
class Example:
    """A request, and the code that answers it."""

    asked: Code
    answer: str
    fenced: bool = False  # the answer ends by closing the code block that was opened for it


@dataclass(frozen=True)
class Asked:
    """An example with what it is about."""

    task: Task
    language: str
    form: str
    name: str
    example: Example


def draw(dice: random.Random) -> Task:
    """A task of any sort."""
    sort = dice.choices((listed, formulas, pages, classics), weights=(78, 12, 5, 5))[0]
    return sort.draw(dice)


def seen(dice: random.Random) -> Task:
    """A task that training may see."""
    while held_out(task := draw(dice)):
        pass
    return task


def unseen(dice: random.Random) -> Task:
    """A task that training never sees."""
    while not held_out(task := draw(dice)):
        pass
    return task


def example(dice: random.Random) -> Example:
    """One for training."""
    if dice.random() < LIBRARY:
        return _of_the_library(dice)
    return ask(seen(dice), dice).example


def ask(task: Task, dice: random.Random, form: str = "", language: str = "") -> Asked:
    """A request for this function in words, with the code that answers it."""
    form = form or dice.choices(FORMS, weights=WEIGHTS)[0]
    language = language or dice.choice(LANGUAGES)
    name = task.label if form == SIGNED else _name(task, dice, whole=0.12 if form == INSTRUCTED else 0.6)
    if name in task.arguments:
        name = f"get_{name}"
    made = _Maker(task, language, name, dice)
    return Asked(task, language, form, name, getattr(made, form)())


def _name(task: Task, dice: random.Random, whole: float) -> str:
    """What a caller may call it: by all that it does, by two words of it, or by nothing of the sort."""
    if dice.random() < whole:
        return task.label
    words = task.label.split("_")
    short = "page" if words[0] == "page" else "_".join(dict.fromkeys((words[0], words[-1])))
    return short if dice.random() < 0.6 else dice.choice(VAGUE)


class _Maker:
    def __init__(self, task: Task, language: str, name: str, dice: random.Random) -> None:
        self.task, self.language, self.name, self.dice = task, language, name, dice
        self.body = indented(task.body(language, dice), language)

    def instructed(self) -> Example:
        """By an instruction, sometimes with the first line given."""
        dice = self.dice
        told = self._told()
        head = signature(self.task, self.name, self.language)
        words = self._instruction(
            named=dice.random() < 0.6, says_language=told == "" and self.language != PYTHON
        )
        if dice.random() < 0.12:
            return Example(_asked(prompt=words, prefix=head, language=told), self.body + FENCE, fenced=True)
        return Example(_asked(prompt=words, language=told), head + self.body + FENCE, fenced=True)

    def documented(self) -> Example:
        """By a signature with a docstring, or in JavaScript a comment above it."""
        prefix = self._documented()
        if self.dice.random() < 0.12:
            return Example(_asked(prefix=prefix[:-1], language=self._told()), "\n" + self.body)
        return Example(_asked(prefix=prefix, language=self._told()), self.body)

    def commented(self) -> Example:
        """By a comment alone, below which the function is written."""
        comment = self._comment()
        return Example(
            _asked(prefix=comment, language=self._told()),
            signature(self.task, self.name, self.language) + self.body,
        )

    def signed(self) -> Example:
        """By a signature whose name tells all."""
        head = signature(self.task, self.name, self.language, typed=self.dice.random() < 0.25)
        cut = -1 if self.dice.random() < 0.12 else len(head)
        return Example(_asked(prefix=head[:cut], language=self._told()), head[len(head[:cut]) :] + self.body)

    def infilled(self) -> Example:
        """By what stands before and after a gap."""
        whole = (
            self._documented()
            if self.dice.random() < 0.8
            else signature(self.task, self.task.label, self.language)
        )
        first = len(whole)
        whole += self.body
        return _gap(whole, first, self._told(), self.dice)

    def _told(self) -> str:
        """The language as the caller names it."""
        chance = self.dice.random()
        return (
            self.language
            if chance < 0.75
            else self.dice.choice(OTHER_NAMES[self.language])
            if chance < 0.85
            else ""
        )

    def _documented(self) -> str:
        head = signature(self.task, self.name, self.language, typed=self.dice.random() < 0.25)
        if self.language == JAVASCRIPT or self.dice.random() < 0.12:
            return self._comment() + head
        quotes = '"""' if self.dice.random() < 0.9 else "'''"
        return f"{head}    {quotes}{self._doc()}{quotes}\n"

    def _comment(self) -> str:
        if self.language == PYTHON:
            return f"# {self._doc()}\n"
        return f"// {self._doc()}\n" if self.dice.random() < 0.6 else f"/** {self._doc()} */\n"

    def _doc(self) -> str:
        """One sentence of a docstring."""
        dice, order = self.dice, self.task.order(self.dice)
        if order and dice.random() < 0.35:
            return _upper(order) + "."
        phrase = self.task.phrase(dice)
        if phrase.startswith("whether"):
            return f"{dice.choice(('Return', 'Returns', 'Tell', 'Check'))} {phrase}."
        begin = dice.choice(("Return", "Return", "Returns", "Compute", "Find", "Get", ""))
        return (f"{begin} {phrase}" if begin else _upper(phrase)) + dice.choice((".", ".", ""))

    def _instruction(self, named: bool, says_language: bool) -> str:
        dice = self.dice
        language = SHOWN[self.language] if says_language or dice.random() < 0.6 else ""
        name = self.name if self.language == PYTHON else camel(self.name)
        if named and dice.random() < 0.5:
            name += f"({', '.join(self.task.arguments)})"
        called = dice.choice((f" {name}", f" called {name}", f" named {name}", f" `{name}`")) if named else ""
        a = f"a {language} function" if language else "a function"
        verb = dice.choice(("Write", "Write", "Make", "Give me", "I need", "Create", "Please write"))
        order = self.task.order(dice)
        if order and dice.random() < 0.35:
            return f"{verb} {a}{called}: {order}."
        phrase = self.task.phrase(dice)
        return f"{verb} {a}{called} {dice.choice(('that returns', 'returning', 'which returns'))} {phrase}."


def _of_the_library(dice: random.Random) -> Example:
    head, rest = dice.choice(library.functions())
    language = dice.choice(("python", ""))
    if dice.random() < 0.5:
        return Example(_asked(prefix=head, language=language), rest)
    return _gap(head + rest, len(head), language, dice)


def _gap(whole: str, first: int, language: str, dice: random.Random) -> Example:
    """Leave a stretch out that begins at `first` or later: whole lines, or anything."""
    lines = [at + 1 for at in range(first - 1, len(whole)) if whole[at] == "\n"]
    if dice.random() < 0.5 and len(lines) > 1:
        begin, end = sorted(dice.sample(lines, 2))
    else:
        begin, end = sorted(dice.sample(range(first, len(whole) + 1), 2))
    if end == len(whole):
        end -= 1  # a suffix must hold something
    begin = min(begin, end - 1)
    return Example(_asked(prefix=whole[:begin], suffix=whole[end:], language=language), whole[begin:end])


def _asked(**fields: Any) -> Code:
    return Code(**fields)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
