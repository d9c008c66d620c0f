"""How well a trained network does what is wished for, on combinations that training never saw."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

from pipelines.music.judge import RULES, broken_bars, faults
from pipelines.music.score import Score
from pipelines.music.wish import Wish
from pipelines.music.writer import TEMPERATURE, Writer
from pipelines.training.figures import share
from pipelines.training.songbook.exam import exam
from pipelines.training.songbook.plan import draw_wish

TOGETHER = 32
"""Pieces that are written side by side."""
JUDGED = 200
"""Pieces of the judge's exam."""
ASKED = ("key", "tempo", "instruments", "length", "metre")


def held_out_wishes(count: int, seed: int) -> list[Wish]:
    """Whole wishes of held-out combinations."""
    dice = random.Random(f"songbook wishes {seed}")
    return [draw_wish(dice, held_out=True) for _ in range(count)]


def evaluate(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """The figures of the card: wishes kept, each thing wished for by itself, bars that keep the rules; the
    same of a third of the wishes without the rules of harmony in the grammar; and the judge's own exam.
    """
    writer = Writer.load(folder)
    wishes = sorted(held_out_wishes(count, seed + 1000), key=lambda wish: wish.bars)
    free = wishes[::3]
    return {
        "temperature": TEMPERATURE,
        **figures(wishes, writer.write(wishes, range(count), together=TOGETHER)),
        "without rules in the grammar": figures(
            free, writer.write(free, range(len(free)), together=TOGETHER, harmony=False)
        ),
        "judge": exam(JUDGED, seed),
    }


def figures(wishes: list[Wish], scores: list[Score]) -> dict[str, Any]:
    """The figures of scores that were made for these wishes."""
    wrong: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    kept = bars = 0
    whole = 0
    for wish, score in zip(wishes, scores, strict=True):
        found = faults(Score.from_midi(score.to_midi()), wish)
        wrong.update(found)
        whole += not found
        for rules in broken_bars(score, wish.key):
            broken.update(rules)
            kept += not rules
            bars += 1
    count = len(wishes)
    return {
        "wishes kept": share(whole, count),
        "by what was wished": {name: share(count - wrong[name], count) for name in ASKED},
        "bars that keep the rules": share(kept, bars),
        "bars that break a rule": {rule: round(broken[rule] / bars, 4) for rule in RULES},
    }
