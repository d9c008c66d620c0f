"""Writes functions over many elements in JavaScript: mostly as chains of calls, some as loops."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.training.snippets.listed import Listed

LOOPS = 0.2  # share of what could be either that is written as a loop
IN_PLACE = (".sort(", ".reverse(")  # what would change the caller's own list


def body(task: Listed, dice: random.Random) -> list[str]:
    """The lines of its body."""
    writer = _Writer(task, dice)
    name = task.reduction.name if task.reduction else ""
    if name == "tally":
        return writer.loop()
    if name in ("average", "spread"):
        return writer.of_a_list()
    may_loop = not task.arrangement and name in ("", "sum", "count") and (task.map or task.filters)
    if may_loop and dice.random() < LOOPS:
        return writer.loop()
    return [f"return {writer.expression()};"]


class _Writer:
    def __init__(self, task: Listed, dice: random.Random) -> None:
        self.task = task
        one = task.source.nouns[0][0]
        names = ["x", one, "c" if one == "character" else one[0]]
        self.x = dice.choice([name for name in names if name not in task.arguments])
        self.source = task.source.javascript.format(arg=task.argument)

    def code(self, part: Any) -> str:
        constant = self.task.constants.get(part.name)
        return str(part.javascript.format(x=self.x, k=constant.code() if constant else ""))

    @property
    def condition(self) -> str:
        return " && ".join(map(self.code, self.task.filters))

    @property
    def value(self) -> str:
        return self.code(self.task.map) if self.task.map else self.x

    def elements(self) -> str:
        chain = self.source
        if self.task.filters:
            chain += f".filter(({self.x}) => {self.condition})"
        return chain + (f".map(({self.x}) => {self.value})" if self.task.map else "")

    def arranged(self) -> str:
        part, chain = self.task.arrangement, self.elements()
        if not part:
            return chain
        constant = self.task.constants.get(part.name)
        own = f"[...{chain}]" if chain == self.task.argument else chain
        return part.javascript.format(e=own, g=chain, k=constant.code() if constant else "")

    def expression(self) -> str:
        part, chain = self.task.reduction, self.arranged()
        if not part:
            return chain
        if part.name in ("some", "every"):
            return part.javascript.format(c=self.condition, x=self.x, s=self.source)
        constant = self.task.constants.get(part.name)
        return part.javascript.format(g=chain, k=constant.code() if constant else "")

    def of_a_list(self) -> list[str]:
        """What needs the list twice."""
        chain = self.arranged()
        lines, name = ([], chain) if chain == self.task.argument else ([f"const kept = {chain};"], "kept")
        if self.task.reduction is not None and self.task.reduction.name == "average":
            return [*lines, f"return {name}.reduce((a, b) => a + b, 0) / {name}.length;"]
        return [*lines, f"return Math.max(...{name}) - Math.min(...{name});"]

    def loop(self) -> list[str]:
        name = self.task.reduction.name if self.task.reduction else ""
        start = {"sum": "let total = 0;", "count": "let count = 0;", "tally": "const counts = {};"}
        result = start.get(name, "const result = [];").split()[1]
        value, condition, source = self.value, self.condition, self.source
        if self.task.arrangement:
            value, condition, source = self.x, "", self.arranged()
        step = {
            "sum": f"{result} += {value};",
            "count": f"{result} += 1;",
            "tally": f"{result}[{value}] = ({result}[{value}] ?? 0) + 1;",
            "": f"{result}.push({value});",
        }[name]
        within = [f"  if ({condition}) {{", f"    {step}", "  }"] if condition else [f"  {step}"]
        begin = start.get(name, "const result = [];")
        return [begin, f"for (const {self.x} of {source}) {{", *within, "}", f"return {result};"]
