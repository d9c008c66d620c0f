"""Every promise names tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text()
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| (?!Promise|When this dies|Not promised|-)", line)]
PROOF = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")


@cache
def names_in(file: str) -> frozenset[str]:
    """Names of a file's tests, as pytest writes them after the file's own."""
    found: set[str] = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return frozenset(found)


def test_there_are_promises() -> None:
    assert len(ROWS) > 40


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:50])
def test_a_promise_has_its_proof(row: str) -> None:
    proofs = PROOF.findall(row)
    assert proofs, row
    missing = [f"{file}::{name}" for file, name in proofs if name not in names_in(file)]
    assert missing == []
