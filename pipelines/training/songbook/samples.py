"""Piano rolls of what a network writes, or the composer."""

from collections.abc import Sequence
from pathlib import Path

from pipelines.music.score import Score
from pipelines.training.songbook.pictures import piano_roll


def rolls(scores: Sequence[Score], path: Path) -> None:
    """A PNG with a roll for each score, one below the other."""
    from matplotlib.figure import Figure  # the class itself: no global state, no window

    figure = Figure(figsize=(11, 3.2 * len(scores)), layout="constrained", dpi=80)
    panels = figure.subplots(len(scores), 1, squeeze=False)[:, 0]
    for score, panel in zip(scores, panels, strict=True):
        piano_roll(score, panel)
        panel.set_title(f"{score.key}, {score.metre}, {score.tempo:g} beats a minute", fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
