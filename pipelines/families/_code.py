"""Checking code that a model wrote: Python and JavaScript are parsed, never run; others are not checked."""

import ast
import warnings
from functools import cache
from typing import Any

from pipelines.languages import language_of

LONGEST = 200_000
"""Characters that are parsed at most: a parser's memory grows fast with its text."""


def code_facts(inputs: Any, text: str) -> dict[str, str | bool]:
    """`language` as it was asked for, and whether prefix, text and suffix together parse, if known."""
    if not inputs.language:
        return {}
    facts: dict[str, str | bool] = {"language": inputs.language}
    parsed = whole_parses(inputs, text)
    return facts if parsed is None else facts | {"parses": parsed}


def whole_parses(inputs: Any, text: str) -> bool | None:
    """Whether prefix, text and suffix together parse; None where the language is not checked, or too much."""
    language, whole = language_of(inputs.language), f"{inputs.prefix}{text}{inputs.suffix}"
    if language is None or len(whole) > LONGEST:
        return None
    return parses(whole) if language == "python" else parses_as_javascript(whole)


def parses(code: str) -> bool:
    """Whether it is Python of the version that runs here."""
    with warnings.catch_warnings(action="ignore"):  # of odd escapes and the like in that code
        try:
            ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: nested too deep
            return False
    return True


def parses_as_javascript(code: str) -> bool:
    """Whether tree-sitter's grammar of JavaScript knows all of it; what only running shows is not seen."""
    return not _javascript().parse(code.encode()).root_node.has_error


@cache
def _javascript() -> Any:
    import tree_sitter_javascript
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_javascript.language()))
