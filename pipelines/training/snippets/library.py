"""Short functions out of the standard library of the Python that runs here; its licence allows it."""

from __future__ import annotations

import ast
import sysconfig
import textwrap
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LONGEST = 420  # characters
SHORTEST = 60
LEFT_OUT = {
    "test", "tests", "site-packages", "dist-packages", "idlelib", "lib2to3", "ensurepip", "turtledemo",
    "config", "__pycache__", "pydoc_data", "encodings",
}  # fmt: skip


@cache
def functions() -> tuple[tuple[str, str], ...]:
    """Each short function once, as its head (signature and docstring) and the rest, in order of the files."""
    root = Path(sysconfig.get_path("stdlib"))
    found: dict[tuple[str, str], None] = {}
    for path in sorted(root.rglob("*.py")):
        if not LEFT_OUT & set(path.relative_to(root).parts) and "config-" not in str(path):
            found |= dict.fromkeys(in_file(path))
    return tuple(found)


def in_file(path: Path) -> Iterator[tuple[str, str]]:
    """Those of one file."""
    try:
        source = path.read_text(encoding="utf-8")
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source)
    except (SyntaxError, UnicodeDecodeError):  # a few files hold bad Python on purpose
        return
    lines = source.splitlines(keepends=True)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
            split = _rest_begins(node)
            head = "".join(lines[node.lineno - 1 : split - 1])
            rest = "".join(lines[split - 1 : node.end_lineno])
            whole = textwrap.dedent(head + rest)
            if (
                node.lineno < split <= node.end_lineno  # its body has lines of its own
                and SHORTEST <= len(whole) <= LONGEST
                and whole.isascii()
                and "\t" not in whole
            ):
                cut = len(textwrap.dedent(head + "pass")) - 4 if not head.endswith("\n") else len(
                    "".join(whole.splitlines(keepends=True)[: split - node.lineno])
                )  # fmt: skip
                yield whole[:cut], whole[cut:]


def _rest_begins(node: ast.FunctionDef) -> int:
    """The line on which the body begins, its docstring left out."""
    if ast.get_docstring(node) and len(node.body) > 1:
        return node.body[1].lineno
    return node.body[0].lineno
