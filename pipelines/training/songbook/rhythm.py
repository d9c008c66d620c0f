"""Rhythms of one bar, drawn by how active and how dotted they are to be."""

import math
import random

from pipelines.music.score import bar_ticks

_HALVES = ((24,), (12, 12), (18, 6), (12, 6, 6), (6, 6, 12), (6, 6, 6, 6), (9, 3, 12), (6, 12, 6),
           (9, 3, 6, 6), (12, 9, 3), (6, 6, 6, 3, 3), (3, 3, 6, 12))  # fmt: skip
_THREES = ((36,), (24, 12), (12, 12, 12), (18, 6, 12), (12, 12, 6, 6), (12, 6, 6, 12), (6, 6, 12, 12),
           (24, 6, 6), (18, 6, 6, 6), (6, 6, 6, 6, 12), (12, 24), (6, 6, 6, 6, 6, 6), (9, 3, 12, 12),
           (24, 9, 3))  # fmt: skip
_SIXES = ((18,), (12, 6), (6, 6, 6), (6, 12), (9, 3, 6), (6, 6, 3, 3), (12, 3, 3))
_FOURS = ((48,), (36, 12), (36, 6, 6), (18, 18, 12), (12, 24, 12), (6, 12, 12, 12, 6), (18, 6, 18, 6))


def rhythm(metre: str, activity: float, dotted: float, dice: random.Random) -> list[int]:
    """Lengths in ticks that fill a bar; `activity` is notes a quarter note."""
    if metre == "3/4":
        return _draw(_THREES, activity, dotted, dice)
    if metre == "6/8":
        return _draw(_SIXES, activity, dotted / 2, dice) + _draw(_SIXES, activity, dotted / 2, dice)
    if metre == "2/4":
        return _draw(_HALVES, activity, dotted, dice)
    if dice.random() < 0.25:
        return _draw(_FOURS, activity, dotted, dice)
    return _draw(_HALVES, activity, dotted, dice) + _draw(_HALVES, activity * 0.9, dotted, dice)


def close(metre: str, dice: random.Random, *, final: bool) -> list[int]:
    """The rhythm of a phrase's last bar: it comes to rest, at the end of the piece at once."""
    bar = bar_ticks(metre)
    if final:
        return [bar]
    ways = {24: ([24], [12, 12], [18, 6]), 48: ([24, 24], [48], [36, 12], [12, 12, 24])}.get(
        bar, ([36], [18, 18], [24, 12]) if metre == "3/4" else ([18, 18], [36], [12, 6, 18])
    )
    return list(dice.choice(ways[:-1] if bar == 36 and metre == "3/4" else ways))


def slow(metre: str, dice: random.Random) -> list[int]:
    """The rhythm of a second line: one to three notes a bar."""
    ways = {
        "2/4": ([24], [12, 12]),
        "3/4": ([36], [24, 12], [12, 12, 12]),
        "6/8": ([36], [18, 18], [12, 6, 18]),
        "4/4": ([48], [24, 24], [36, 12], [24, 12, 12]),
    }
    return list(dice.choice(ways[metre]))


def _draw(
    cells: tuple[tuple[int, ...], ...], activity: float, dotted: float, dice: random.Random
) -> list[int]:
    def weight(cell: tuple[int, ...]) -> float:
        rate = len(cell) / sum(cell) * 12
        uneven = any(length in {9, 18, 3} for length in cell) or cell[0] < max(cell)
        short = 0.35 if 3 in cell else 1
        return short * math.exp(-(((rate - activity) / 0.45) ** 2) + (dotted if uneven else 0))

    return list(dice.choices(cells, [weight(cell) for cell in cells])[0])
