"""Shares with their intervals, as the cards quote them."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

Z = 1.959964  # of a standard normal: 95 % lie within


def wilson(passed: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); unlike the plain one it stays sound near 0 and 1."""
    if not 0 <= passed <= of or of == 0:
        raise ValueError(f"{passed} of {of} is no share")
    p, square = passed / of, Z * Z / of
    middle = p + square / 2
    spread = Z * sqrt(p * (1 - p) / of + square / (4 * of))
    low, high = (middle - spread) / (1 + square), (middle + spread) / (1 + square)
    return max(0.0, low), min(1.0, high)


def share(passed: int, of: int) -> dict[str, float | int]:
    """A share for evaluation.json: {"passed", "of", "share", "low", "high"}, the last two its interval."""
    low, high = wilson(passed, of)
    return {
        "passed": passed,
        "of": of,
        "share": round(passed / of, 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }


def told(figure: dict[str, Any]) -> str:
    """ "97.2 % (95.4 to 98.3 %, 486 of 500)"."""
    low, high = (f"{100 * figure[end]:.1f}" for end in ("low", "high"))
    return f"{100 * figure['share']:.1f} % ({low} to {high} %, {figure['passed']} of {figure['of']})"


def lines(figures: dict[str, Any], before: str = "") -> Iterator[str]:
    """An evaluation, a line a figure: "one thing / sun: 97.2 % (…)"."""
    for name, value in figures.items():
        whole = f"{before} / {name}" if before else name
        if isinstance(value, dict) and "low" in value and "passed" in value:
            yield f"{whole}: {told(value)}"
        elif isinstance(value, dict):
            yield from lines(value, whole)
        else:
            yield f"{whole}: {value}"
