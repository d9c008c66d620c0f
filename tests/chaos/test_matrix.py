"""The matrix is whole: every fault has a test, and the page that is committed is of these tests."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.__main__ import DOCUMENT, HEAD, fault_files
from tests.chaos.matrix import NUMBERS, Fault, Matrix

ROOT = Path(__file__).parents[2]


def declared() -> list[Fault]:
    return [fault for file in fault_files() for fault in declared_in(ROOT / file)]


def declared_in(file: Path) -> Iterator[Fault]:
    """The faults of a file, read without running it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "fault":
            named = {word.arg: ast.literal_eval(word.value) for word in node.keywords if word.arg}
            yield Fault(*(ast.literal_eval(argument) for argument in node.args), **named)


def test_every_fault_has_a_test() -> None:
    assert {fault.number for fault in declared()} == set(NUMBERS)


def test_no_fault_is_skipped() -> None:
    marks = re.compile(r"mark\.skip|pytest\.skip|mark\.xfail|pytest\.xfail")
    assert [file for file in fault_files() if marks.search((ROOT / file).read_text())] == []


def test_the_page_is_of_these_tests() -> None:
    page = DOCUMENT.read_text()
    assert page.startswith(HEAD)
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()[-len(declared()) :]
    ]
    written = sorted((row[0], row[1], row[2], row[5]) for row in rows)
    assert written == sorted(
        (str(fault.number), fault.done, fault.expected, fault.stand_in or "–") for fault in declared()
    )
    assert all(row[3] for row in rows), "each says what was seen"


def test_a_row_tells_of_each_parameter_and_the_longest_recovery() -> None:
    matrix = Matrix()
    told = {"number": 8, "done": "a", "expected": "b", "stand_in": None}
    matrix.add({**told, "parameters": "valkey", "text": "x", "recovery_seconds": 1.0})
    matrix.add({**told, "parameters": "redis7", "text": "y", "recovery_seconds": 2.04})
    assert "| 8 | a | b | redis7: y; valkey: x | 2.0 s | – |\n" in matrix.table()
    assert 8 not in matrix.missing()
