"""A short soak, and the measure of memory by which a long one is judged (`make soak`)."""

import random
from pathlib import Path

import pytest

from tests.chaos.matrix import Seen, fault
from tests.chaos.soak.memory import MIB, Growth, growths, theil_sen
from tests.chaos.soak.soak import Soak
from tests.chaos.storm.ledger import Line


def life(name: str, pid: int, samples: int, per_hour: float) -> list[Line]:
    """A process of 50 MiB that jitters, and grows by so many MiB an hour; a sample every two seconds."""
    dice = random.Random(pid)
    sizes = [50 + per_hour * 2 * second / 3600 + dice.uniform(-1, 1) for second in range(samples)]
    return [
        {"at": 2000 * number, "name": name, "pid": pid, "bytes": round(size * MIB)}
        for number, size in enumerate(sizes)
    ]


def test_memory_that_grows_is_told_from_memory_that_jitters() -> None:
    flat, leak = growths(life("flat", 1, 300, 0.0) + life("leak", 2, 300, 60.0))
    assert flat.flat
    assert not leak.flat
    assert leak.per_hour == pytest.approx(60, abs=6)
    assert leak.over_the_run == pytest.approx(10, abs=1)


def test_of_a_process_that_was_replaced_the_longest_life_counts() -> None:
    (found,) = growths(life("worker", 1, 20, 0.0) + life("worker", 2, 200, 0.0))
    assert found.samples == 200


def test_too_few_samples_tell_nothing() -> None:
    assert not Growth("x", samples=3, size=50, per_hour=0, over_the_run=0).flat
    assert theil_sen([(0, 1)]) == 0


def test_one_peak_does_not_move_the_slope() -> None:
    points = [(float(number), 50.0) for number in range(100)]
    points[70] = (70.0, 500.0)
    assert theil_sen(points) == 0


@fault(
    36,
    "Faults of all sorts come and go under a steady load, for a minute: kills, freezes, cuts, hangs, lost"
    " replies, an emptied broker, a skewed clock",
    "no job lost or done twice, counters exact; `make soak` runs for as long as one likes, and judges memory",
)
@pytest.mark.slow
def test_a_short_soak_loses_nothing(tmp_path: Path, seen: Seen) -> None:
    soak = Soak(tmp_path, minutes=1, seed=3, per_second=2, tell=print)
    try:
        soaked = soak.run()
    finally:
        soak.stop()
    # a minute is too short to judge memory by
    problems = [problem for problem in soaked.problems if "grew by" not in problem]
    assert not problems
    assert soaked.tally.accepted > 30
    assert soaked.faults
    tally, faults = soaked.tally, len(soaked.faults)
    seen(f"{tally.accepted} jobs under {faults} faults: {tally.by_status}, counters exact")
