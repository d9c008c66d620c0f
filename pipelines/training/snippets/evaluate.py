"""The figures of the snippets model, on combinations that training never saw."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.families._code import whole_parses
from pipelines.families.causal_lm import CausalLM
from pipelines.training.figures import share
from pipelines.training.snippets import hidden, texts
from pipelines.training.snippets.tasks import LANGUAGES, PYTHON, camel, function
from pipelines.training.snippets.writing import answers

TRIES = 10
COOL, WARM = 0.2, 0.8  # temperatures of the one try, and of the ten
MAIN = (texts.DOCUMENTED, texts.INSTRUCTED)  # the forms of the main figure; the others are given beside it
BESIDE = (texts.COMMENTED, texts.SIGNED, texts.INFILLED)
SIDES = 5  # one in so many of the main figure's prompts is the number of each other form
TOGETHER = 32  # outputs computed side by side
RANDOM_NUMBERS = 1_000  # seeds begin here
JUDGED = 300  # functions that the hidden tests are judged by


@dataclass(frozen=True)
class Problem:
    """A request with its hidden tests."""

    asked: texts.Asked
    cases: tuple[hidden.Case, ...]

    @property
    def language(self) -> str:
        return self.asked.language

    def candidate(self, answer: str) -> hidden.Candidate:
        """An answer as it is tested: a function of the name that was asked for, or of any if none was."""
        asked = self.asked.example.asked
        code = f"{asked.prefix}{answer}{asked.suffix}"
        name = hidden.defined(code)
        wanted = self.asked.name if self.language == PYTHON else camel(self.asked.name)
        named = wanted in f"{asked.prompt}{asked.prefix}"
        return hidden.Candidate(self.language, code, "" if named and name != wanted else name, self.cases)


def problems(count: int, forms: Sequence[str], seed: int) -> list[Problem]:
    """Requests of these forms for held-out combinations, both languages and all forms alike often."""
    dice = random.Random(f"figure {forms} {seed}")
    found: list[Problem] = []
    while len(found) < count:
        task = texts.unseen(dice)
        if cases := hidden.cases(task, dice):
            language = LANGUAGES[len(found) % 2]
            form = forms[len(found) // 2 % len(forms)]
            found.append(Problem(texts.ask(task, dice, form, language), cases))
    return found


def first_tries(family: CausalLM, some: Sequence[Problem], temperature: float = COOL) -> list[str]:
    """One answer to each."""
    asked = [(one.asked.example.asked, [RANDOM_NUMBERS]) for one in some]
    return [one for (one,) in answers(family, asked, temperature)]


def many_tries(family: CausalLM, some: Sequence[Problem], tries: int = TRIES) -> list[list[str]]:
    """Several warmer answers to each."""
    seeds = [RANDOM_NUMBERS + number for number in range(1, tries + 1)]
    return answers(family, [(one.asked.example.asked, seeds) for one in some], WARM)


def right(some: Sequence[Problem], tries: Sequence[Sequence[str]]) -> list[list[bool]]:
    """Whether each answer passes all the hidden tests; equal answers are run once."""
    unlike = {(place, answer) for place, answers_ in enumerate(tries) for answer in answers_}
    order = sorted(unlike)
    passed = dict(
        zip(order, hidden.passed([some[place].candidate(answer) for place, answer in order]), strict=True)
    )
    return [[passed[place, answer] for answer in answers_] for place, answers_ in enumerate(tries)]


def parsing(some: Sequence[Problem], tries: Sequence[str]) -> int:
    """How many of the answers parse."""
    named = [one.asked.example.asked.model_copy(update={"language": one.language}) for one in some]
    return sum(whole_parses(asked, answer) is True for asked, answer in zip(named, tries, strict=True))


def evaluate(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Shares with their intervals: parsed, right at one try, right within ten; by language, form, sort."""
    family = CausalLM.load(folder, "cpu", "float32", lines=TOGETHER)
    some = problems(count, MAIN, seed)
    first = first_tries(family, some)
    once = [one for (one,) in right(some, [[answer] for answer in first])]
    ten = [any(ends) for ends in right(some, many_tries(family, some))]
    figures: dict[str, Any] = {
        "parses at the first try": share(parsing(some, first), count),
        "passes its hidden tests at the first try": share(sum(once), count),
        f"passes them within {TRIES} tries": share(sum(ten), count),
        "first try, by language": _by(some, once, lambda one: one.language),
        "first try, by form": _by(some, once, lambda one: one.asked.form),
        "first try, by sort": _by(some, once, _sort),
        f"{TRIES} tries, by language": _by(some, ten, lambda one: one.language),
    }
    for form in BESIDE:
        others = problems(count // SIDES, (form,), seed)
        ends = right(others, [[answer] for answer in first_tries(family, others)])
        figures["first try, by form"][form] = share(sum(one for (one,) in ends), len(others))
    return {
        **figures,
        "judge": judge_figures(JUDGED),
        "temperatures": {"first try": COOL, f"{TRIES} tries": WARM},
        "seed": seed,
    }


def judge_figures(count: int) -> dict[str, Any]:
    """What the hidden tests let pass: true functions, and such with one piece changed for another."""
    dice = random.Random("judge")
    true, other = [], []
    while len(other) < count:
        task, language = texts.unseen(dice), dice.choice(LANGUAGES)
        changed, cases = hidden.swapped(task, dice), hidden.cases(task, dice)
        if cases and changed:
            pair = (function(one, "f", language, dice) for one in (task, changed))
            for found, code in zip((true, other), pair, strict=True):
                found.append(hidden.Candidate(language, code, "f", cases))
    return {
        "true functions passed": share(sum(hidden.passed(true)), count),
        "functions with a piece swapped passed": share(sum(hidden.passed(other)), count),
    }


def _sort(one: Problem) -> str:
    key = one.asked.task.key.split()[0]
    return "one to three numbers" if key == "formula" else "page" if key == "page" else f"{key} as the source"


def _by(some: Sequence[Problem], ends: Sequence[bool], what: Any) -> dict[str, Any]:
    count = Counter(what(one) for one in some)
    good = Counter(what(one) for one, end in zip(some, ends, strict=True) if end)
    return {name: share(good[name], number) for name, number in sorted(count.items())}
