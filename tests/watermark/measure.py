"""How often the watermark is found after edits, and how often where none is."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pipelines.provenance.code_word import NUMBERS
from pipelines.provenance.detection import likeliest
from pipelines.provenance.watermark import embed
from tests.watermark.pictures import as_jpeg, picture, worn


@dataclass(frozen=True)
class Trial:
    """One look for a watermark."""

    sort: str
    """Of the picture."""
    edit: str
    """What was done to it since it was marked; UNMARKED for one that never was."""
    score: float
    number: str
    """`right`, `wrong` or `lost`."""
    psnr: float
    """dB between the picture and its marked self."""


UNMARKED = "unmarked"


def look(index: int, seed: int) -> Trial:
    """Look for a mark in a picture that has none, worn as pictures are."""
    sort, plain = picture(index, seed)
    mark = likeliest(worn(plain, index))
    return Trial(sort, UNMARKED, mark.score, "lost" if mark.number is None else "wrong", np.inf)


def mark_and_look(index: int, seed: int, edits: Sequence[str] = ()) -> list[Trial]:
    """Mark a picture, and look for the mark after each of these edits; all, if none are named."""
    sort, plain = picture(index, seed)
    number = int(np.random.default_rng((seed, index, 1)).integers(NUMBERS))
    marked = embed(plain, number)
    hidden = psnr(plain, marked)
    trials = []
    for edit in edits or EDITS:
        mark = likeliest(EDITS[edit](marked, index))
        told = "lost" if mark.number is None else "right" if mark.number == number else "wrong"
        trials.append(Trial(sort, edit, mark.score, told, hidden))
    return trials


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Peak signal-to-noise ratio of two RGB pictures, in dB."""
    difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


def scaled(picture: Image.Image, factor: float) -> Image.Image:
    size = round(picture.width * factor), round(picture.height * factor)
    return picture.resize(size, Image.Resampling.BICUBIC)


def cropped(picture: Image.Image, seed: int) -> Image.Image:
    """Without a tenth of its width and a tenth of its height, lost at random sides."""
    dice = np.random.default_rng(seed)
    lost = picture.width // 10, picture.height // 10
    left, top = (int(dice.integers(0, each + 1)) for each in lost)
    return picture.crop((left, top, left + picture.width - lost[0], top + picture.height - lost[1]))


def as_webp(picture: Image.Image) -> Image.Image:
    data = io.BytesIO()
    picture.save(data, "WEBP", quality=75)
    return Image.open(io.BytesIO(data.getvalue())).convert("RGB")


EDITS: dict[str, Callable[[Image.Image, int], Image.Image]] = {
    "none": lambda marked, seed: marked,
    "JPEG 75": lambda marked, seed: as_jpeg(marked, 75),
    "scaled to 75 %": lambda marked, seed: scaled(marked, 0.75),
    "cropped by 10 %": cropped,
    "cropped by 10 %, scaled to 75 %, JPEG 75": lambda marked, seed: as_jpeg(
        scaled(cropped(marked, seed), 0.75), 75
    ),
    "JPEG 50": lambda marked, seed: as_jpeg(marked, 50),
    "WebP 75": lambda marked, seed: as_webp(marked),
    "scaled to 50 %": lambda marked, seed: scaled(marked, 0.5),
    "scaled to 150 %": lambda marked, seed: scaled(marked, 1.5),
    "mirrored and turned by a quarter": lambda marked, seed: marked.transpose(Image.Transpose.TRANSPOSE),
}

PROMISED = ("JPEG 75", "scaled to 75 %", "cropped by 10 %")
"""The edits after which at least 95 % of the marks must be found."""
