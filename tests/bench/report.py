"""docs/benchmarks.md and its picture, from the figures."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from infra.connections import check_server
from tests.bench.figures import Result
from tests.bench.parts import durable

VERSIONS = ("flask", "gunicorn", "gevent", "celery", "kombu", "redis", "pydantic")
WIDTH, LEFT, ROW, GAP, HEAD = 900, 400, 20, 26, 22
INK, FAINT, BAR = "#24292f", "#d0d7de", "#8fb4dc"

PAGE = """# Benchmarks

`make bench` made this page: every figure is the median of its runs, and every ratio was measured within one
run, so that what else the machine does hits both sides. All single figures are in `benchmarks.json`.

This run: {machine}.

![bars]({picture})

## Goals

| | Goal | Median | |
|---|---|---|---|
{goals}

{sections}
"""


def machine() -> str:
    """What it was measured on."""
    memory = psutil.virtual_memory().total / 2**30
    names = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    with durable() as server:
        state = check_server(server.client())
    day = datetime.now(UTC).date().isoformat()
    return (
        f"{day}, {_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()},"
        f" Python {platform.python_version()}, {state}, {names}; load average at its end"
        f" {os.getloadavg()[1]:.1f}"
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def page(results: Sequence[Result], about: str, picture: str, remarks: str) -> str:
    """The text of the page; `remarks` were written by people, and stay."""
    goals = [row for result in results for row in _goal_rows(result)]
    sections = "\n\n".join([*(_section(result) for result in results), remarks]).rstrip()
    return PAGE.format(machine=about, picture=picture, goals="\n".join(goals), sections=sections)


def _goal_rows(result: Result) -> list[str]:
    return [
        f"| {result.title} | {goal.says} | {_text(result.median(goal.measure))} |"
        f" {'reached' if result.reached(goal) else '**missed**'} |"
        for goal in result.goals
    ]


def _section(result: Result) -> str:
    rows = [
        f"| {says} | {_text(result.median(name))} | {_text(min(runs))} to {_text(max(runs))} |"
        for name, says in result.units.items()
        if (runs := result.runs.get(name))
    ]
    runs = len(next(iter(result.runs.values())))
    table = "\n".join([f"| | Median of {runs} | From, to |", "|---|---|---|", *rows])
    notes = "".join(f"\n\n{note}" for note in result.notes)
    return f"## {result.title}\n\n{result.how}\n\n{table}{notes}"


def _text(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def draw(results: Sequence[Result]) -> str:
    """The bars of every result that has some, as SVG."""
    y, parts = 10, []
    for result in results:
        names = [name for name in result.bars if name in result.runs]
        if not names:
            continue
        parts.append(f'<text x="10" y="{y + 14}" font-weight="bold">{result.title}</text>')
        y += HEAD
        most = max(result.median(name) for name in names)
        for name in names:
            parts += _bar(y, result.units[name], result.median(name), most)
            y += ROW
        y += GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" font-family="sans-serif"'
        f' font-size="11" fill="{INK}">'
    )
    return "\n".join([head, f'<rect width="{WIDTH}" height="{y}" fill="white"/>', *parts, "</svg>\n"])


def _bar(y: int, says: str, value: float, most: float) -> list[str]:
    width = (WIDTH - LEFT - 90) * value / most
    return [
        f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{says[:70]}</text>',
        f'<rect x="{LEFT}" y="{y + 3}" width="{width:.1f}" height="{ROW - 6}" fill="{BAR}"/>',
        f'<text x="{LEFT + width + 6:.0f}" y="{y + 13}">{_text(value)}</text>',
    ]
