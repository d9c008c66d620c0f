"""The matrix of faults: each is a test that declares what is done and what must come of it, and tells what it
saw.

    @fault(1, "A worker is killed in the midst of a step", "claimed again within 17 s, one result")
    def test_a_killed_worker(cluster, seen):
        …
        seen("claimed by the other worker", recovery_seconds=15.4)

`python -m tests.chaos` (`make chaos`) runs them all and writes docs/kill-matrix.md from what they told.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import pytest

NUMBERS = range(1, 37)
"""The faults that the matrix must cover."""

ELSEWHERE: tuple[str, ...] = (
    "tests/contract/test_races.py",
    "tests/contract/test_lost_replies.py",
    "tests/integration/api/test_jobs.py",
    "tests/rolling/test_rolling.py",
)
"""Test files outside tests/chaos that hold faults of the matrix, as paths from the repository's root."""

PROPERTY = "fault"
"""Name of the report's property that carries a `Fault` and what was seen, also between test processes."""

Test = TypeVar("Test", bound=Callable[..., None])


@dataclass(frozen=True)
class Fault:
    """One row of the matrix. A number may have several rows, and a row several parameters."""

    number: int
    done: str
    """What is done to the system."""
    expected: str
    stand_in: str | None = None
    """What takes the place of hardware that the test's machine lacks, such as a GPU; None: nothing does."""


@dataclass
class Sight:
    """What one run of a fault's test saw."""

    text: str
    recovery_seconds: float | None = None
    """From the fault to the moment at which the system works as before; None where nothing stood still."""


def fault(number: int, done: str, expected: str, *, stand_in: str | None = None) -> Callable[[Test], Test]:
    """Declare that a test is a fault of the matrix. It must call the fixture `seen` at its end."""
    assert number in NUMBERS, f"the matrix has no fault {number}"
    return pytest.mark.fault(Fault(number, done, expected, stand_in))


class Seen:
    """The fixture `seen`: tells the matrix what the test saw; once, at the test's end."""

    def __init__(self, node: pytest.Item) -> None:
        self._node = node
        self.told = False

    def __call__(self, text: str, recovery_seconds: float | None = None) -> None:
        """`recovery_seconds`: from the fault to the moment at which the system works as before."""
        assert not self.told, "a test tells once what it saw"
        self.told = True
        parameters = self._node.callspec.id if hasattr(self._node, "callspec") else ""
        told = {
            **asdict(declared(self._node)),
            "parameters": parameters,
            **asdict(Sight(text, recovery_seconds)),
        }
        self._node.user_properties.append((PROPERTY, told))


def declared(node: pytest.Item) -> Fault:
    """The fault that a test declares."""
    mark = node.get_closest_marker("fault")
    assert mark is not None, f"{node.nodeid} is no @fault"
    found: Fault = mark.args[0]
    return found


@dataclass
class Row:
    """A fault with what its test, under each of its parameters, has seen."""

    fault: Fault
    sights: list[tuple[str, Sight]] = field(default_factory=list)
    """(parameters, sight)."""

    @property
    def recovery_seconds(self) -> float | None:
        """The longest one."""
        return max(
            (s.recovery_seconds for _, s in self.sights if s.recovery_seconds is not None), default=None
        )

    def cells(self) -> list[str]:
        """The row of the table."""
        recovery = "–" if self.recovery_seconds is None else f"{self.recovery_seconds:.1f} s"
        told = "; ".join(f"{name}: {sight.text}" if name else sight.text for name, sight in self.sights)
        fault = self.fault
        return [str(fault.number), fault.done, fault.expected, told, recovery, fault.stand_in or "–"]


class Matrix:
    """A pytest plugin that gathers what the faults' tests tell, in whichever process they run."""

    def __init__(self) -> None:
        self.rows: dict[Fault, Row] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":  # then the report has all properties
            for name, value in report.user_properties:
                if name == PROPERTY:
                    assert isinstance(value, dict)
                    self.add(value)

    def add(self, told: dict[str, Any]) -> None:
        """Note what one test told."""
        fault = Fault(**{name: told[name] for name in Fault.__dataclass_fields__})
        row = self.rows.setdefault(fault, Row(fault))
        row.sights.append((told["parameters"], Sight(told["text"], told["recovery_seconds"])))

    def missing(self) -> list[int]:
        """Numbers that nobody told of."""
        return sorted(set(NUMBERS) - {fault.number for fault in self.rows})

    def table(self) -> str:
        """The Markdown table."""
        rows = sorted(self.rows.values(), key=lambda row: (row.fault.number, row.fault.done))
        for row in rows:
            row.sights.sort(key=lambda told: told[0])
        return markdown(row.cells() for row in rows)


def markdown(rows: Iterable[list[str]]) -> str:
    """A Markdown table of the matrix's rows."""
    head = ["No.", "What is done", "Expected", "Seen", "Recovery", "Stand-in"]
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)
