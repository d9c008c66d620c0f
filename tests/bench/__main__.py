"""`make bench`: what Atelier costs and bears, beside what people would use instead, each ratio in one run."""

import argparse
import json
import sys
import time
from importlib import import_module
from pathlib import Path

from tests.bench.figures import Result, Size
from tests.bench.report import draw, machine, page

NAMES = (
    "submit", "drain", "overhead", "images", "mixed", "depth", "scaling", "watchers", "startup", "restart"
)  # fmt: skip
REMARKS = "## What is not reached, and why"
"""From this heading on the report was written by people, and is kept."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; all when there is none")
    parser.add_argument("--runs", type=int, default=5, help="of each")
    parser.add_argument("--scale", type=float, default=1.0, help="how large each is made; 1: as reported")
    parser.add_argument(
        "--json", type=Path, help="file for all figures; those of other benchmarks in it stay"
    )
    parser.add_argument("--report", type=Path, help="file for the page, and beside it its picture")
    options = parser.parse_args(argv)
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)

    size = Size(options.runs, options.scale, tell)
    results = []
    for name in options.names or NAMES:
        result = _run(name, size)
        print(_table(result), flush=True)
        results = _merged(options.json, result) if options.json else [*results, result]
    if options.report:
        _write(options.report, results)
    return 0


def _run(name: str, size: Size) -> Result:
    found: Result = import_module(f"tests.bench.{name}").run(size)
    return found


def _merged(file: Path, result: Result) -> list[Result]:
    """All results that the file has now: this one, and what it had of others."""
    known = json.loads(file.read_text()) if file.exists() else {}
    known[result.name] = result.as_json()
    file.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    return [Result.from_json(name, known[name]) for name in NAMES if name in known]


def _write(report: Path, results: list[Result]) -> None:
    before = report.read_text() if report.exists() else ""
    remarks = before[before.index(REMARKS) :] if REMARKS in before else ""
    picture = report.with_suffix(".svg")
    picture.write_text(draw(results))
    report.write_text(page(results, machine(), picture.name, remarks))


def _table(result: Result) -> str:
    rows = [
        f"  {says:80}{result.median(name):12.3f}"
        for name, says in result.units.items()
        if name in result.runs
    ]
    goals = [f"  {'yes' if result.reached(goal) else 'NO ':3} {goal.says}" for goal in result.goals]
    return "\n".join([result.title, *rows, *goals])


if __name__ == "__main__":
    sys.exit(main())
