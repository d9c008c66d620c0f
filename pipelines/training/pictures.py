"""Pictures of a training: a sheet of what a model makes, and the curve of its figures."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LINE, COLUMN = 14, 6  # pixels that a line and a letter of the captions take
NOT_FIGURES = ("stage", "step", "seconds", "cpu_seconds")


def sheet(
    pictures: Sequence[np.ndarray | Image.Image],
    captions: Sequence[str],
    path: Path,
    *,
    columns: int = 6,
    zoom: int = 3,
    lines: int = 3,
) -> None:
    """A PNG of the pictures enlarged `zoom` times, each over so many lines of its caption."""
    images = [p if isinstance(p, Image.Image) else Image.fromarray(p) for p in pictures]
    width, height = (max(side) * zoom for side in zip(*(image.size for image in images), strict=True))
    foot, rows = lines * LINE + 8, -(-len(images) // columns)
    whole = Image.new("RGB", (columns * (width + 8), rows * (height + foot)), "white")
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(10)
    for i, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x, y = i % columns * (width + 8) + 4, i // columns * (height + foot) + 4
        large = image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST)
        whole.paste(large, (x, y))
        words = textwrap.wrap(caption, max(8, width // COLUMN))[:lines]
        pen.multiline_text((x, y + height + 1), "\n".join(words), fill="black", font=font)
    path.parent.mkdir(parents=True, exist_ok=True)
    whole.save(path, optimize=True)


def curve(rows: Sequence[dict[str, Any]], path: Path, title: str = "") -> None:
    """A PNG of every figure of a log over its steps, each in a panel of its own, the mean of ten in front."""
    rows = [row for row in rows if "step" in row]
    names = list(dict.fromkeys(name for row in rows for name in row if name not in NOT_FIGURES))
    if not names:
        return
    from matplotlib.figure import Figure  # the class itself: no global state, no window

    figure = Figure(figsize=(7, 2.2 * len(names) + 0.6), layout="constrained")
    panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for panel, name in zip(panels, names, strict=True):
        points = [(row["step"], row[name]) for row in rows if isinstance(row.get(name), int | float)]
        steps, values = np.array(points, float).reshape(-1, 2).T
        panel.plot(steps, values, alpha=0.3, linewidth=0.8)
        panel.plot(steps, _smooth(values), color="C0")
        panel.set_ylabel(name)
        panel.grid(alpha=0.3)
    panels[-1].set_xlabel("step")
    figure.suptitle(title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def _smooth(values: np.ndarray, window: int = 10) -> np.ndarray:
    """The mean of each value and the up to nine before it."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)
