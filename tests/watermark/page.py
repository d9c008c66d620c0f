"""docs/watermark.md: what was measured, as tables; and what falls short of what is promised."""

from collections.abc import Sequence

import numpy as np

from pipelines.provenance.detection import THRESHOLD
from tests.watermark.measure import EDITS, PROMISED, Trial
from tests.watermark.pictures import SORTS

LEAST_FOUND, MOST_FALSE, LEAST_PSNR = 0.95, 0.001, 40.0

HEAD = """\
# The watermark, measured

Written by `make watermark` (`python -m tests.watermark --seed {seed}`). The pictures are drawn by
`tests/watermark/pictures.py`: {sorts}; from 256 × 256 to 1,024 × 1,024.
Small type, hatching and tiles at 256 pixels are there because they are hard, not because they are common.
A mark is found when its score is at least {threshold:g}. What a mark is: [provenance.md](provenance.md).
"""


def shortcomings(unmarked: Sequence[Trial], marked: Sequence[Trial]) -> list[str]:
    """What is promised and was not measured, in words."""
    words = [
        f"found after {edit}: {share:.1%}"
        for edit in PROMISED
        if (share := _found(_of(marked, edit))) < LEAST_FOUND
    ]
    if (share := _found(unmarked)) > MOST_FALSE:
        words.append(f"false alarms: {share:.2%}")
    if (least := min(each.psnr for each in marked)) < LEAST_PSNR:
        words.append(f"least PSNR: {least:.1f} dB")
    return words


def page(unmarked: Sequence[Trial], marked: Sequence[Trial], seed: int) -> str:
    """The whole page."""
    head = HEAD.format(seed=seed, sorts=", ".join(SORTS), threshold=THRESHOLD)
    return "\n".join([head, *_edits(marked), *_sorts(marked), *_false_alarms(unmarked), *_hidden(marked)])


def _edits(marked: Sequence[Trial]) -> list[str]:
    rows = [
        "| Edit since it was marked | Pictures | Found | Number right | Number wrong |",
        "|---|---|---|---|---|",
    ]
    for edit in EDITS:
        trials = _of(marked, edit)
        told = [each.number for each in trials if each.score >= THRESHOLD]
        right, wrong = (told.count(word) / len(trials) for word in ("right", "wrong"))
        promised = " (promised: 95 %)" if edit in PROMISED else ""
        found = f"{_found(trials):.1%} | {right:.1%} | {wrong:.1%}"
        rows.append(f"| {edit}{promised} | {len(trials)} | {found} |")
    return ["## Marked pictures", "", *rows, ""]


def _sorts(marked: Sequence[Trial]) -> list[str]:
    rows = [f"| Sort | {' | '.join(PROMISED)} |", "|---|" + "---|" * len(PROMISED)]
    for sort in SORTS:
        shares = [_found([each for each in _of(marked, edit) if each.sort == sort]) for edit in PROMISED]
        rows.append(f"| {sort} | {' | '.join(f'{share:.1%}' for share in shares)} |")
    return ["By sort of picture:", "", *rows, ""]


def _false_alarms(unmarked: Sequence[Trial]) -> list[str]:
    scores = np.array([each.score for each in unmarked])
    rows = ["| Sort | Pictures | Median score | Highest score | False alarms |", "|---|---|---|---|---|"]
    for sort in SORTS:
        own = np.array([each.score for each in unmarked if each.sort == sort])
        if not len(own):
            continue
        false = int((own >= THRESHOLD).sum())
        rows.append(f"| {sort} | {len(own)} | {np.median(own):.1f} | {own.max():.1f} | {false} |")
    false = int((scores >= THRESHOLD).sum())
    words = (
        f"{false} of {len(scores):,} pictures that were never marked were taken for marked"
        f" ({false / len(scores):.2%}; promised: at most 0.1 %). Half of them had been scaled since they were"
        f" drawn, and half of them saved as JPEG."
    )
    return ["## Pictures without a mark", "", words, "", *rows, ""]


def _hidden(marked: Sequence[Trial]) -> list[str]:
    levels = np.array([each.psnr for each in _of(marked, "none")])
    words = (
        f"PSNR between a picture and its marked self: least {levels.min():.1f} dB, median"
        f" {np.median(levels):.1f} dB, most {levels.max():.1f} dB (promised: at least 40 dB)."
    )
    return ["## How well it hides", "", words, ""]


def _of(trials: Sequence[Trial], edit: str) -> list[Trial]:
    return [each for each in trials if each.edit == edit]


def _found(trials: Sequence[Trial]) -> float:
    return sum(each.score >= THRESHOLD for each in trials) / len(trials) if trials else 0.0
