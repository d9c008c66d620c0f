"""What `test_every_family.py` runs: each family with a tiny model, and small inputs for each of its kinds.

A family's cases stand beside the code that saves its tiny model, in `tests/families/tiny/<family>.py`, as
`CASES`.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

TINY = Path(__file__).parent / "tiny"


@dataclass(frozen=True)
class Given:
    """Stands in a case's inputs where a file is needed; the harness uploads a sample."""

    media: Literal["image", "large", "mask", "video", "sound", "midi"]


@dataclass(frozen=True)
class Case:
    """One tiny model of a family."""

    name: str
    """The model is called `tiny/<name>`."""
    family: str
    save: Callable[[Path], Path]
    """Writes the model into a folder, as a checkpoint is saved, and returns the folder; or a catalog file
    with its row, where the family has no weights."""
    inputs: Mapping[str, Mapping[str, Any]]
    """Small inputs by kind; files as `Given`."""
    tolerance: float = 1e-4
    """Most by which a sample may differ alone and in a batch, as a share of its full range. 1/255 where the
    family answers in whole steps of colour."""
    alone: str = ""
    """Why requests of this family are not run in one batch; empty: they are."""
    even: bool = False
    """Whether prompts share a bucket only where they have equally many tokens."""
    serves: bool = False
    """Whether it is a text family, whose samples are texts and must be equal."""
    drawn: bool = True
    """Whether the seed makes a difference."""
    longer: Mapping[str, Any] = field(default_factory=dict)
    """Inputs that make it busy for long enough to be stopped, where steps and length do not."""


PICTURE = {"prompt": "a fox", "width": 64, "height": 64, "steps": 4}
"""Inputs of a small picture."""

PICTURES = {
    "text-to-image": PICTURE,
    "image-to-image": {**PICTURE, "image": Given("image")},
    "inpaint": {**PICTURE, "image": Given("image"), "mask": Given("mask")},
}
"""The inputs of a family that makes pictures in all three ways."""

CLIP = {"prompt": "a kite in the wind", "width": 64, "height": 64, "steps": 3, "guidance": 4.0}
"""Inputs of a small video, but for its number of frames."""


def cases() -> Iterator[Case]:
    """Every case of every module in `tests/families/tiny`."""
    for module in pkgutil.iter_modules([str(TINY)]):
        yield from getattr(importlib.import_module(f"tests.families.tiny.{module.name}"), "CASES", ())
