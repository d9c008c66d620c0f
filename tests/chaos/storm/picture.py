"""A storm in one picture (SVG): jobs that ended over time, and below it every kill."""

from tests.chaos.storm.evidence import Evidence
from tests.chaos.storm.figures import planned
from tests.chaos.storm.ledger import Line
from tests.chaos.storm.plan import Victim

WIDTH, LEFT, RIGHT, TOP = 960, 110, 20, 30
CURVE_HEIGHT, ROW_HEIGHT, GAP = 180, 18, 30
BARS = 120
INK, FAINT, BAR, MARK = "#24292f", "#d0d7de", "#8fb4dc", "#c0392b"


def draw(evidence: Evidence) -> str:
    """The picture's text."""
    samples, kills = _until_the_last_end(evidence.samples), planned(evidence)
    start, end = samples[0]["at"], max(samples[-1]["at"], samples[0]["at"] + 1)
    rows = [victim.value for victim in Victim]
    height = TOP + CURVE_HEIGHT + GAP + ROW_HEIGHT * len(rows) + 30

    def x(at: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - start) / (end - start)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
        f' font-size="11" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        *_bars(samples, start, end),
    ]
    for number, row in enumerate(rows):
        y = TOP + CURVE_HEIGHT + GAP + ROW_HEIGHT * number
        parts.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{row}</text>')
        parts.append(f'<path d="M{LEFT} {y + 8}H{WIDTH - RIGHT}" stroke="{FAINT}"/>')
        marks = "".join(f"M{x(kill['at']):.1f} {y + 2}v12" for kill in kills if kill["victim"] == row)
        parts.append(f'<path d="{marks}" stroke="{MARK}" stroke-width="1.2"/>')
    seconds = (end - start) / 1000
    for share in (0, 0.25, 0.5, 0.75, 1):
        place = LEFT + (WIDTH - LEFT - RIGHT) * share
        parts.append(
            f'<text x="{place:.0f}" y="{height - 8}" text-anchor="middle">{seconds * share:.0f} s</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


def _until_the_last_end(samples: list[Line]) -> list[Line]:
    """Without the time in which the jobs were judged."""
    last = next(number for number, line in enumerate(samples) if line["final"] == samples[-1]["final"])
    return samples[: last + 1]


def _bars(samples: list[Line], start: int, end: int) -> list[str]:
    """Jobs a second, each bar an equal part of the time."""
    counts, before = [0] * BARS, 0
    for sample in samples:
        place = min(BARS - 1, (sample["at"] - start) * BARS // (end - start))
        counts[place] += sample["final"] - before
        before = sample["final"]
    rates = [count / ((end - start) / 1000 / BARS) for count in counts]
    most, width = max(*rates, 1.0), (WIDTH - LEFT - RIGHT) / BARS
    bottom = TOP + CURVE_HEIGHT
    bars = [
        f'<rect x="{LEFT + number * width:.1f}" y="{bottom - CURVE_HEIGHT * rate / most:.1f}"'
        f' width="{width - 1:.1f}" height="{CURVE_HEIGHT * rate / most:.1f}" fill="{BAR}"/>'
        for number, rate in enumerate(rates)
    ]
    return [
        f'<text x="{LEFT}" y="{TOP - 10}">jobs that ended in a second (most: {most:.0f})</text>',
        *bars,
        f'<path d="M{LEFT} {bottom}H{WIDTH - RIGHT}" stroke="{INK}"/>',
    ]
