"""What the snippets model is trained on: functions that mean the same in both languages, and their words."""

import ast
import json
import random
import sysconfig
from collections import Counter
from pathlib import Path

import pytest

from pipelines.families._code import parses, parses_as_javascript
from pipelines.training.snippets import classics, evaluate, formulas, hidden, library, listed, pages, texts
from pipelines.training.snippets.operations import ARRANGEMENTS, FILTERS, MAPS, REDUCTIONS, SOURCES
from pipelines.training.snippets.tasks import (
    HELD_OUT,
    JAVASCRIPT,
    LANGUAGES,
    PYTHON,
    camel,
    function,
    held_out,
)

SORTS = (listed, formulas, pages, classics)


def drawn(count, seed, draw=texts.draw):
    dice = random.Random(seed)
    return [draw(dice) for _ in range(count)]


def test_both_languages_mean_the_same():
    """For every sort of function: what Python gives, JavaScript gives (run in the confined children)."""
    dice = random.Random(1)
    candidates = []
    for task in drawn(300, 2):
        if cases := hidden.cases(task, dice):
            candidates += [
                hidden.Candidate(language, function(task, "f", language, dice), "f", cases)
                for language in LANGUAGES
            ]

    assert len(candidates) > 450
    assert [
        one.code for one, right in zip(candidates, hidden.passed(candidates), strict=True) if not right
    ] == []


def test_hidden_tests_know_a_swapped_piece():
    """At least 99 % of true functions pass and at most 5 % of those with one piece changed for another."""
    figures = evaluate.judge_figures(220)

    assert figures["true functions passed"]["share"] >= 0.99
    assert figures["functions with a piece swapped passed"]["share"] <= 0.05


def test_every_piece_is_drawn_and_most_combinations_are_seen():
    tasks = drawn(4000, 4, listed.draw)
    parts = Counter(part.name for task in tasks for part in task.parts)
    sources = {task.source.name for task in tasks}
    out = [task for task in tasks if held_out(task)]

    assert set(parts) == {one.name for one in (*FILTERS, *MAPS, *ARRANGEMENTS, *REDUCTIONS)}
    assert sources == {one.name for one in SOURCES}
    assert {part.name for task in out for part in task.parts} > {one.name for one in (*FILTERS, *MAPS)}
    assert 0.6 * HELD_OUT < len(out) / len(tasks) < 1.2 * HELD_OUT


def test_the_split_is_by_what_a_function_does():
    """Neither its name, nor its words, nor its constants decide; and training never sees one held out."""
    dice = random.Random(5)
    ends = {}
    for task in drawn(3000, 6):
        ends.setdefault(task.key, set()).add(held_out(task))
    assert all(len(found) == 1 for found in ends.values())
    assert not any(held_out(texts.seen(dice)) for _ in range(500))
    assert all(held_out(texts.unseen(dice)) for _ in range(50))
    assert not any(held_out(task) for task in drawn(300, 7) if task.pieces == 1)


@pytest.mark.parametrize("form", texts.FORMS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_requests_and_their_answers_make_whole_code(form, language):
    dice = random.Random(8)
    for task in drawn(60, 9):
        asked = texts.ask(task, dice, form, language)
        one = asked.example
        answer = one.answer.removesuffix(texts.FENCE) if one.fenced else one.answer
        code = f"{one.asked.prefix}{answer}{one.asked.suffix}"

        assert (parses if language == PYTHON else parses_as_javascript)(code), code
        assert one.answer
        assert bool(one.asked.suffix) == (form == texts.INFILLED)
        assert bool(one.asked.prompt) == one.fenced == (form == texts.INSTRUCTED)
        if form != texts.INFILLED:
            assert hidden.defined(code) == (asked.name if language == PYTHON else camel(asked.name))


def test_words_vary_and_tell_all():
    """A function is told of in many ways, each with its constants."""
    task = next(
        task
        for task in drawn(500, 10, listed.draw)
        if [one.name for one in task.parts] == ["above", "square", "sum"] or
        ({one.name for one in task.parts} >= {"above"} and len(task.parts) == 3 and len(task.arguments) == 1)
    )  # fmt: skip
    dice = random.Random(11)
    told = {texts.ask(task, dice, texts.INSTRUCTED, PYTHON).example.asked.prompt for _ in range(60)}

    assert len(told) > 50
    assert all(str(task.constants["above"].value) in one for one in told)


def test_classics_are_never_held_out_and_work():
    dice = random.Random(12)
    cases = {one.label: hidden.cases(one, dice) for one in classics.ALL}
    assert not any(map(held_out, classics.ALL))
    candidates = [
        hidden.Candidate(language, function(one, "f", language, dice), "f", cases[one.label])
        for one in classics.ALL
        for language in LANGUAGES
        if cases[one.label]
    ]
    assert len(candidates) >= 1.6 * len(classics.ALL)
    assert all(hidden.passed(candidates))


@pytest.mark.parametrize(
    ("key", "wanted"), [("2 square largest -", 25), ("2 - sum -", 8), ("2 - product half", 7.5)]
)
def test_the_plainest_examples_are_true(key, wanted):
    dice = random.Random(13)
    task = next(task for task in drawn(3000, 14, formulas.draw) if task.key == f"formula {key}")
    names = {}
    exec(function(task, "f", PYTHON, dice), names)  # noqa: S102
    assert names["f"](3, 5) == wanted


def test_the_standard_library_is_read_as_functions():
    root = Path(sysconfig.get_path("stdlib"))
    found = [
        one
        for name in ("bisect", "heapq", "statistics", "textwrap")
        for one in library.in_file(root / f"{name}.py")
    ]

    assert len(found) > 15
    for head, rest in found:
        (node,) = ast.parse(head + rest).body
        assert isinstance(node, ast.FunctionDef)
        assert head.startswith("def ")
        assert head.endswith("\n") or "\n" not in rest
        assert rest.strip()
        assert library.SHORTEST <= len(head + rest) <= library.LONGEST


def test_a_function_on_one_line_is_no_example(tmp_path):
    """It has no head to ask with."""
    (tmp_path / "a.py").write_text(
        "def isxdigit(c): return isdigit(c) or 65 <= ctoi(c) <= 70 or 97 <= ctoi(c) <= 102\n"
    )

    assert list(library.in_file(tmp_path / "a.py")) == []


def test_hidden_tests_compare_strictly():
    cases = (hidden.Case([2], [1, 2]), hidden.Case([0], {"a": 1.5}))
    right = "def f(n):\n    return [1, 2] if n else {'a': 3 / 2}"
    wrong = [
        right.replace("[1, 2]", "(1, 3)"),
        right.replace("'a'", "'b'"),
        right.replace("3 / 2", "'1.5'"),
        "def f(): pass",
        "f = 1 /",
    ]
    some = [hidden.Candidate(PYTHON, code, "f", cases) for code in (right, *wrong)]
    script = "function f(n) { return n ? [1, 2] : { a: 1.5 }; }"
    some += [
        hidden.Candidate(JAVASCRIPT, code, "f", cases)
        for code in (script, script.replace("1.5", "true"), "throw 1")
    ]

    assert hidden.passed(some) == [True, False, False, False, False, False, True, False, False]
    assert json.loads(json.dumps(cases[0].wanted)) == [1, 2]
