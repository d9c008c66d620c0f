"""What a benchmark gives: figures, one for each run, and the goals that their medians are held to."""

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


def percentile(times: Sequence[float], share: float) -> float:
    """The smallest of these, in order, that `share` percent are not above."""
    return times[max(0, math.ceil(len(times) * share / 100) - 1)]


@dataclass(frozen=True)
class Size:
    """How large a benchmark is made."""

    runs: int = 5
    scale: float = 1.0
    """1 for figures worth reading; small for a test that it still runs."""
    tell: Callable[[str], None] = print

    def of(self, full: float, least: float) -> float:
        """`full` at full size, `least` at any."""
        return max(least, full * self.scale)

    def count(self, full: int, least: int) -> int:
        return int(self.of(full, least))


@dataclass(frozen=True)
class Goal:
    """What a median should be."""

    measure: str
    sense: Literal["≥", "≤"]
    bound: float
    says: str
    """In words, with its unit."""


@dataclass
class Result:
    """One benchmark's figures."""

    name: str
    title: str
    how: str
    """What was done, in a few sentences."""
    units: dict[str, str]
    """By measure, in the order in which they are shown: what it is, and its unit."""
    goals: tuple[Goal, ...] = ()
    runs: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)
    bars: tuple[str, ...] = ()
    """Measures that are drawn beside each other."""

    def add(self, **figures: float) -> None:
        """The figures of one run."""
        for name, value in figures.items():
            assert name in self.units, name
            self.runs[name].append(value)

    def median(self, measure: str) -> float:
        return statistics.median(self.runs[measure])

    def reached(self, goal: Goal) -> bool:
        value = self.median(goal.measure)
        return value >= goal.bound if goal.sense == "≥" else value <= goal.bound

    def as_json(self) -> dict[str, Any]:
        goals = [{**asdict(goal), "reached": self.reached(goal)} for goal in self.goals]
        medians = {name: self.median(name) for name in self.units if name in self.runs}
        return {
            "title": self.title,
            "how": self.how,
            "units": self.units,
            "medians": medians,
            "runs": dict(self.runs),
            "goals": goals,
            "notes": self.notes,
            "bars": self.bars,
        }

    @classmethod
    def from_json(cls, name: str, item: dict[str, Any]) -> "Result":
        """What `as_json` gave."""
        goals = [Goal(each["measure"], each["sense"], each["bound"], each["says"]) for each in item["goals"]]
        return cls(
            name,
            item["title"],
            item["how"],
            item["units"],
            tuple(goals),
            item["runs"],
            item["notes"],
            tuple(item["bars"]),
        )
