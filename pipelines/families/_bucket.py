"""Rows that are computed together, and what a pipeline's call is given for each of them.

Everything is given row by row: with one picture or one generator for many rows, pipelines let the first row
decide the noise of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from pipelines.base import Request
from pipelines.families import _torch as torch_support
from pipelines.media import read_mask, read_picture


@dataclass(frozen=True)
class Row:
    """One output to make, or a part of one."""

    number: int
    """The place of its request in the batch."""
    request: Request
    index: int
    """Which of that request's outputs it is."""
    seed: int


@dataclass(frozen=True)
class Bucket:
    """Rows of requests with one `batch_key`."""

    rows: Sequence[Row]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def kind(self) -> str:
        return self.rows[0].request.kind

    @property
    def inputs(self) -> Any:
        """The first row's inputs, for what is the same in all: size, steps, guidance, …"""
        return self.rows[0].request.inputs

    def each(self, field: str) -> list[Any]:
        """A field of each row's inputs, in a list of its own: some pipelines write into the one they get."""
        return [getattr(row.request.inputs, field) for row in self.rows]

    def generators(self) -> list[torch.Generator]:
        """Freshly seeded: a call uses them up."""
        return [torch_support.seeded(row.seed) for row in self.rows]

    def pictures(self) -> list[Image.Image]:
        """The picture that each row's request gives, in the size that it asks for."""
        return [read_picture(row.request.files["image"], self._size) for row in self.rows]

    def masks(self) -> list[Image.Image]:
        """The mask that each row's request gives: white is made anew."""
        return [read_mask(row.request.files["mask"], self._size) for row in self.rows]

    @property
    def _size(self) -> tuple[int, int]:
        return (self.inputs.width, self.inputs.height)
