"""A picture of a piece: its notes as a piano roll, and below them what is heard, as a spectrogram.

python -m pipelines.training.songbook.pictures PIECE.mid PIECE.png
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.music.mastering import master
from pipelines.music.score import Score
from pipelines.music.synth import RATE, render

WINDOW = 4096
"""Samples that one column of the spectrogram looks at."""

LOWEST, HIGHEST = 40, 12_000  # hertz
QUIETEST = -85  # decibels below the loudest


def picture(score: Score, samples: NDArray[np.float32], path: Path, title: str = "") -> None:
    """A PNG of a score and of its sound, (2, samples) at RATE, over the same seconds."""
    from matplotlib.figure import Figure  # the class itself: no global state, no window

    figure = Figure(figsize=(10, 6.5), layout="constrained", dpi=90)
    notes, sound = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    piano_roll(score, notes)
    _spectrogram(samples, sound)
    figure.suptitle(title or f"{score.key or ''}, {score.metre}, {score.tempo:g} beats a minute", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    with Image.open(path) as drawn:
        drawn.convert("RGB").quantize(256).save(path, optimize=True)  # a third of the size


def piano_roll(score: Score, panel: Any) -> None:
    """Draw the notes into matplotlib's axes over seconds: a colour for each instrument, drums grey."""
    names = list(dict.fromkeys(part.name for part in score.parts if not part.drums))
    for part in score.parts:
        colour = "0.6" if part.drums else f"C{names.index(part.name)}"
        for note in part.notes:
            length = 0.04 if part.drums else score.seconds_at(note.length)
            panel.broken_barh([(score.seconds_at(note.start), length)], (note.pitch - 0.4, 0.8), color=colour)
    for name in names:
        panel.plot([], [], color=f"C{names.index(name)}", linewidth=4, label=name)
    for bar in range(score.bars + 1):
        panel.axvline(score.seconds_at(bar * score.bar), color="0.85", linewidth=0.6, zorder=0)
    panel.margins(y=0.2)
    panel.legend(fontsize=8, loc="upper right", ncols=len(names) or 1)
    panel.set_ylabel("MIDI key")


def _spectrogram(samples: NDArray[np.float32], panel: Any) -> None:
    mono = samples.mean(axis=0)
    hop = WINDOW // 4
    frames = np.lib.stride_tricks.sliding_window_view(mono, WINDOW)[::hop] * np.hanning(WINDOW)
    power = 20 * np.log10(np.abs(np.fft.rfft(frames)) + 1e-9)
    hertz = np.fft.rfftfreq(WINDOW, 1 / RATE)
    shown = (hertz >= LOWEST) & (hertz <= HIGHEST)
    seconds = (np.arange(len(frames)) * hop + WINDOW / 2) / RATE
    levels = (power[:, shown] - power.max()).T
    panel.pcolormesh(seconds, hertz[shown], levels, cmap="magma", vmin=QUIETEST, vmax=0, rasterized=True)
    panel.set_yscale("log")
    panel.set_ylabel("hertz")
    panel.set_xlabel("seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("piece", type=Path)
    parser.add_argument("picture", type=Path)
    asked = parser.parse_args()
    score = Score.from_midi(asked.piece.read_bytes())
    picture(score, master(render(score), RATE), asked.picture, asked.piece.stem)


if __name__ == "__main__":
    main()
