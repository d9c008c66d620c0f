"""`python -m tests.chaos [words for pytest]`: run every fault; when all pass, write docs/kill-matrix.md."""

import sys
from pathlib import Path

import pytest

from tests.chaos.matrix import ELSEWHERE, Matrix

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DOCUMENT = ROOT / "docs" / "kill-matrix.md"
TESTERS = "3"  # they mostly wait, but each starts several processes

HEAD = """# The kill matrix

What is done to a running system, what must come of it, and what came of it. Every row is a test that starts
real parts (Celery workers with engines, API, Valkey or Redis 7.0, an S3 server), breaks something and looks;
`make chaos` runs all of them and writes this page. Recovery is the time from the fault to the moment at which
the work goes on, the longest where a test ran more than once.

Where a row needs hardware that not every machine has, its last column says what takes its place. Unless a row
says otherwise a lost worker is missed after 3 s, not after the default of 15 s, so that a run stays short.

"""


def fault_files() -> list[str]:
    """Every test file that holds faults, from the repository's root."""
    return [*(str(path.relative_to(ROOT)) for path in sorted(HERE.glob("test_*_faults.py"))), *ELSEWHERE]


def main(words: list[str]) -> int:
    """The exit status: that of pytest, or 1 when a fault is missing."""
    matrix = Matrix()
    tests = [*fault_files(), "tests/chaos/test_crash_points.py", "-m", "fault or walk"]
    status = pytest.main(["-n", TESTERS, "--dist", "load", "-q", *tests, *words], plugins=[matrix])
    if status or words:  # a part of the faults is no matrix
        return int(status)
    if missing := matrix.missing():
        print(f"No test told of the faults {missing}", file=sys.stderr)
        return 1
    DOCUMENT.write_text(HEAD + matrix.table())
    print(f"Written: {DOCUMENT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
