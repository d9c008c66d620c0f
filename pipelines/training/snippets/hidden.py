"""Hidden tests: what a function gives for drawn arguments, found by running the true one; and whether code
that was written gives the same. They look at what comes out and at nothing else."""

# ruff: noqa: E501 - tables

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from infra.code_check import passed_tests
from pipelines.training.snippets import formulas, listed, operations, pages
from pipelines.training.snippets.tasks import LANGUAGES, PYTHON, Task, function

TRIED, FEWEST, DIFFERENT = 14, 6, 3  # arguments tried; results there must be; different ones among them
EXACT = 2**53  # beyond, JavaScript's numbers are not exact
TOGETHER = 24  # candidates that share a child: it takes longer to start than they take to run

SAME = {
    "python": """
import json as _json
def _same(a, b):
    if isinstance(b, float) or isinstance(a, float):
        return isinstance(a, (int, float)) and isinstance(b, (int, float)) and abs(a - b) <= 1e-9 * max(1, abs(b))
    if isinstance(b, list):
        return isinstance(a, list) and len(a) == len(b) and all(map(_same, a, b))
    if isinstance(b, dict):
        return isinstance(a, dict) and a.keys() == b.keys() and all(_same(a[key], b[key]) for key in b)
    return type(a) is type(b) and a == b
def _passes(code, name, cases):
    names = {}
    exec(code, names)
    return all(_same(_json.loads(_json.dumps(names[name](*given))), wanted) for given, wanted in _json.loads(cases))
""",
    "javascript": """
const _same = (a, b) => {
  if (typeof b === "number") return typeof a === "number" && Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));
  if (typeof b !== "object" || b === null) return a === b;
  const keys = Object.keys(b);
  return typeof a === "object" && a !== null && Array.isArray(a) === Array.isArray(b)
    && Object.keys(a).length === keys.length && keys.every((key) => Object.hasOwn(a, key) && _same(a[key], b[key]));
};
const _passes = (code, name, cases) => {
  const made = new Function(code + "; return " + name)();
  return cases.every(([given, wanted]) => _same(JSON.parse(JSON.stringify(made(...given))), wanted));
};
""",
}


@dataclass(frozen=True)
class Case:
    """Arguments, and what the true function gives for them, as JSON has it."""

    given: list[Any]
    wanted: Any


@dataclass(frozen=True)
class Candidate:
    """Code, what its function is called, and the cases it is held against."""

    language: str
    code: str
    name: str
    cases: tuple[Case, ...]


def cases(task: Task, dice: random.Random) -> tuple[Case, ...]:
    """The hidden tests of a task; empty where its results say too little."""
    names: dict[str, Any] = {}
    exec(function(task, "true", PYTHON, dice), names)  # noqa: S102 - composed here, by our own script
    found = []
    for _ in range(TRIED):
        given = json.loads(json.dumps(task.inputs(dice)))
        try:
            wanted = json.loads(json.dumps(names["true"](*given)))
        except (ValueError, ZeroDivisionError):  # the largest of none, and such
            continue
        if _exact(wanted):
            found.append(Case(given, wanted))
    different = {json.dumps(one.wanted) for one in found}
    needed = 2 if isinstance(found[0].wanted if found else 0, bool) else DIFFERENT
    return tuple(found) if len(found) >= FEWEST and len(different) >= needed else ()


def _exact(value: Any) -> bool:
    values = (
        value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else [value]
    )
    return all(not isinstance(one, int | float) or abs(one) < EXACT for one in values)


def defined(code: str) -> str:
    """The name of the function that code defines first; empty where there is none."""
    found = re.search(r"\b(?:def|function)\s+([A-Za-z_]\w*)", code) or re.search(
        r"\bconst\s+([A-Za-z_]\w*)\s*=", code
    )
    return found[1] if found else ""


def passed(candidates: Sequence[Candidate]) -> list[bool]:
    """Whether each gives for all its cases what the true function gives; run in confined children."""
    ends: dict[int, bool] = {}
    for language in LANGUAGES:
        places = [
            place
            for place, one in enumerate(candidates)
            if one.language == language and one.name and one.cases
        ]
        for begin in range(0, len(places), TOGETHER):
            ends |= _together(
                language, {place: candidates[place] for place in places[begin : begin + TOGETHER]}
            )
    return [ends.get(place, False) for place in range(len(candidates))]


def _together(language: str, some: dict[int, Candidate]) -> dict[int, bool]:
    """Run them in one child; where one of them has broken it, each in its own."""
    tests = [*map(_test, some.values()), "1 == 1"]  # the last one tells that the child has lived to the end
    *passes, lived = passed_tests(language, SAME[language], tests)  # type: ignore[arg-type]
    if not lived and len(some) > 1:
        return {place: _together(language, {place: one})[place] for place, one in some.items()}
    return dict(zip(some, passes, strict=True))


def _test(one: Candidate) -> str:
    held = json.dumps([[case.given, case.wanted] for case in one.cases])
    if one.language == PYTHON:
        return f"_passes({one.code!r}, {one.name!r}, {held!r})"
    return f"_passes({json.dumps(one.code)}, {json.dumps(one.name)}, {held})"


def swapped(task: Task, dice: random.Random) -> Task | None:
    """The same with one piece changed for another of its sort; None where none fits."""
    for _ in range(40):
        match task:
            case listed.Listed():
                other: Task | None = _other_listed(task, dice)
            case formulas.Formula():
                other = _other_formula(task, dice)
            case pages.Page():
                other = _other_page(task, dice)
            case _:
                return None
        if other is not None and other.key != task.key:
            return other
    return None


def _other_listed(task: listed.Listed, dice: random.Random) -> Task | None:
    part = dice.choice(task.parts)
    tables = (operations.FILTERS, operations.MAPS, operations.ARRANGEMENTS, operations.REDUCTIONS)
    table: Any = next(table for table in tables if part in table)
    alike = [one for one in table if one is not part and not one.constant and _fits(one, part)]
    if part.constant or not alike:
        return None
    other = dice.choice(alike)
    changed = replace(
        task,
        filters=tuple(other if one is part else one for one in task.filters),
        map=other if task.map is part else task.map,
        arrangement=other if task.arrangement is part else task.arrangement,
        reduction=other if task.reduction is part else task.reduction,
    )
    return changed if listed.makes_sense(changed) else None


def _fits(one: Any, part: Any) -> bool:
    if hasattr(part, "elements"):
        return set(one.elements) == set(part.elements) and getattr(one, "returns", "") == getattr(
            part, "returns", ""
        )
    return one.element == part.element and getattr(one, "becomes", "") == getattr(part, "becomes", "")


def _other_formula(task: formulas.Formula, dice: random.Random) -> Task | None:
    names = [name for name in ("inner", "outer", "operation") if getattr(task, name)]
    name = dice.choice(names)
    table: Any = formulas.OPERATIONS if name == "operation" else formulas.CHANGES
    other = dice.choice(table)
    if name == "operation" and len(task.arguments) > 2 and not other.several:
        return None
    if name == "inner" and task.operation and other.name not in formulas.PLURALS:
        return None
    return replace(task, **{name: other})


def _other_page(task: pages.Page, dice: random.Random) -> Task | None:
    """With two parts in each other's places; the arguments stay where they are."""
    if len(task.arguments) < 2:
        return None
    shown, (one, two) = list(task.shown), dice.sample(range(len(task.arguments)), 2)
    shown[one], shown[two] = shown[two], shown[one]
    return replace(task, order_of=tuple(shown))
