"""Writes functions over many elements in Python: mostly as comprehensions, some as loops."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.training.snippets.listed import Listed

LOOPS = 0.25  # share of what could be either that is written as a loop
FRESH = {
    "sum": ("total", "0"),
    "count": ("count", "0"),
    "product": ("result", "1"),
    "tally": ("counts", "{}"),
}
LISTS = ("numbers", "words")  # sources that are lists already


def body(task: Listed, dice: random.Random) -> list[str]:
    """The lines of its body."""
    writer = _Writer(task, dice)
    name = task.reduction.name if task.reduction else ""
    if name in ("product", "tally"):
        return writer.loop()
    if name in ("average", "spread"):
        return writer.of_a_list()
    may_loop = not task.arrangement and name in ("", "sum", "count") and (task.map or task.filters)
    if may_loop and dice.random() < LOOPS:
        return writer.loop()
    return [f"return {writer.expression()}"]


class _Writer:
    def __init__(self, task: Listed, dice: random.Random) -> None:
        self.task = task
        one = task.source.nouns[0][0]
        names = ["x", one, "c" if one == "character" else one[0]]
        self.x = dice.choice([name for name in names if name not in task.arguments])
        self.source = task.source.python.format(arg=task.argument)

    def code(self, part: Any) -> str:
        constant = self.task.constants.get(part.name)
        return str(part.python.format(x=self.x, k=constant.code() if constant else ""))

    @property
    def condition(self) -> str:
        return " and ".join(map(self.code, self.task.filters))

    @property
    def value(self) -> str:
        return self.code(self.task.map) if self.task.map else self.x

    def elements(self) -> tuple[str, str]:
        """What a call takes, and a list of it."""
        if not self.task.map and not self.task.filters:
            return self.source, self.source if self.task.source.name in LISTS else f"list({self.source})"
        inner = f"{self.value} for {self.x} in {self.source}"
        inner += f" if {self.condition}" if self.task.filters else ""
        return inner, f"[{inner}]"

    def arranged(self) -> tuple[str, str]:
        """The same when the list was arranged."""
        part = self.task.arrangement
        if not part:
            return self.elements()
        whole = self._filled(part, *self.elements())
        return whole, whole

    def _filled(self, part: Any, inner: str, listed: str) -> str:
        constant = self.task.constants.get(part.name)
        several = "{g}," in part.python and inner != listed and " for " in inner
        return str(
            part.python.format(
                g=listed if several else inner, e=listed, k=constant.code() if constant else ""
            )
        )

    def expression(self) -> str:
        part = self.task.reduction
        if not part:
            return self.arranged()[1]
        if part.name in ("some", "every"):
            return str(part.python.format(c=self.condition, x=self.x, s=self.source))
        return self._filled(part, *self.arranged())

    def of_a_list(self) -> list[str]:
        """What needs the list twice."""
        listed = self.arranged()[1]
        lines, name = ([], listed) if listed.isidentifier() else ([f"kept = {listed}"], "kept")
        average = self.task.reduction is not None and self.task.reduction.name == "average"
        return [
            *lines,
            f"return sum({name}) / len({name})" if average else f"return max({name}) - min({name})",
        ]

    def loop(self) -> list[str]:
        name = self.task.reduction.name if self.task.reduction else ""
        result, start = FRESH.get(name, ("result", "[]"))
        value, condition, source = self.value, self.condition, self.source
        if self.task.arrangement:
            value, condition, source = self.x, "", self.arranged()[1]
        step = {
            "sum": f"{result} += {value}",
            "product": f"{result} *= {value}",
            "count": f"{result} += 1",
            "tally": f"{result}[{value}] = {result}.get({value}, 0) + 1",
            "": f"{result}.append({value})",
        }[name]
        within = [f"    if {condition}:", f"        {step}"] if condition else [f"    {step}"]
        return [f"{result} = {start}", f"for {self.x} in {source}:", *within, f"return {result}"]
