"""Checking code that a model wrote. Python is parsed, never run; other languages are not checked."""

import ast
import warnings
from typing import Any

PYTHON = {"python", "python3", "py"}

LONGEST = 200_000
"""Characters that are parsed at most: a parser's memory grows fast with its text."""


def code_facts(inputs: Any, text: str) -> dict[str, str | bool]:
    """`language` as it was asked for, and for Python whether the whole (prefix, text, suffix) parses."""
    if not inputs.language:
        return {}
    facts: dict[str, str | bool] = {"language": inputs.language}
    whole = f"{inputs.prefix}{text}{inputs.suffix}"
    if inputs.language.strip().lower() in PYTHON and len(whole) <= LONGEST:
        facts["parses"] = parses(whole)
    return facts


def parses(code: str) -> bool:
    """Whether it is Python of the version that runs here."""
    with warnings.catch_warnings(action="ignore"):  # of odd escapes and the like in that code
        try:
            ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: nested too deep
            return False
    return True
