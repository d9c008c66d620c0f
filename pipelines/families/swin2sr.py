"""Swin2SR: enlarges pictures in one pass, by attention within small windows. Nothing is drawn by lot."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, product
from math import ceil
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from transformers import Swin2SRForImageSuperResolution

from pipelines.base import Capabilities, Output, Progress, Request
from pipelines.errors import InvalidInputs, ModelUnavailable, Problem
from pipelines.families import _frames
from pipelines.families import _torch as torch_support
from pipelines.families._bucket import Row
from pipelines.families._pixels import as_pictures
from pipelines.families._run import Run, halving

UNREAD = {"prompt": "", "negative_prompt": "", "scheduler": None}
"""Fields that say nothing to this model, and what they hold when nobody says anything."""


class Swin2SR:
    kinds: ClassVar = ("upscale",)
    capabilities: ClassVar = Capabilities(
        max_batch=8, needs=("torch", "transformers", "safetensors", "pillow", "numpy")
    )

    def __init__(self, model: Any, *, max_pixels: int = 1024 * 1024, tile: int = 256) -> None:
        """`max_pixels`: the most width × height that is enlarged. `tile`: width and height of the pieces in
        which it is, in pixels, and of as many small pictures together; smaller ones take less memory, and
        more time for what they overlap."""
        self.model = model
        self.window: int = model.config.window_size
        self.factor: int = model.config.upscale
        self.max_pixels = max_pixels
        self.tile = tile

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str, **options: Any) -> Self:
        """The model saved in `weights`."""
        with torch_support.load_errors_translated(weights):
            model = Swin2SRForImageSuperResolution.from_pretrained(
                weights,
                dtype=torch_support.dtype_of(dtype, device),
                use_safetensors=True,
                local_files_only=True,
            )
        if model.config.upscale == 1:
            raise ModelUnavailable("this Swin2SR mends pictures; it does not enlarge them")
        return cls(model.eval().to(device), **options)

    def run(self, batch: list[Request], progress: Progress) -> list[list[Output]]:
        """Outputs for each request; all have one `batch_key`."""
        if problems := [problem for request in batch for problem in self.problems(request)]:
            raise InvalidInputs(problems)
        return halving(
            self.capabilities.max_batch, lambda largest: _Run(self, batch, progress, largest).outputs()
        )

    def problems(self, request: Request) -> list[Problem]:
        """What in the request this model cannot do as it is asked."""
        inputs = request.inputs
        found = [
            Problem(f"/inputs/{field}", "says nothing to this model, which looks at the picture only")
            for field, nothing in UNREAD.items()
            if getattr(inputs, field) != nothing
        ]
        if inputs.factor and self.factor % inputs.factor:
            found.append(Problem("/inputs/factor", f"this model makes pictures {self.factor} times as large"))
        return found

    def rows(self, number: int, request: Request) -> Iterator[Row]:
        return _frames.smalls(number, request, self.max_pixels, request.inputs.factor or self.factor)

    def alike(self, row: Row) -> Hashable:
        return _frames.size(row)

    def joined(self, rows: Sequence[Row], values: Sequence[Any]) -> Any:
        return _frames.joined(rows, values)

    def facts(self, request: Request) -> Mapping[str, Any]:
        return {}

    def enlarged(
        self, pictures: NDArray[np.uint8], tell: Callable[[int], None] = lambda steps: None
    ) -> NDArray[np.float32]:
        """(rows, height, width, 3) of 0 to 255 as many times as large, of 0 to 1. `tell` is called after each
        stage of each tile with how many of them there are; what it raises ends the work."""
        factor, window = self.factor, self.window
        height, width = pictures.shape[1:3]
        # A window more on every side, of the outermost pixels: or the model would see a frame of nothing.
        margins = ((0, 0), *((window, window + -side % window) for side in (height, width)), (0, 0))
        pixels = torch.from_numpy(np.pad(pictures, margins, mode="edge")).movedim(-1, 1)
        tiles = list(product(*(spans(side, self.tile, window) for side in pixels.shape[2:])))
        largest = max((part.stop - part.start) ** 2 for _, part, _ in chain(*tiles))
        at_once = max(self.tile**2 // largest, 1)
        groups = [slice(first, first + at_once) for first in range(0, len(pixels), at_once)]
        stages = self.model.swin2sr.encoder.stages
        steps = len(groups) * len(tiles) * len(stages)
        large = torch.empty(*pixels.shape[:2], *(side * factor for side in pixels.shape[2:]))
        with torch.inference_mode(), after_each(stages, lambda: tell(steps)):
            for rows, (down, across) in product(groups, tiles):
                whole, part, inner = zip(down, across, strict=True)
                given = pixels[rows, :, *part].to(self.model.device, self.model.dtype) / 255
                made = self.model(pixel_values=given).reconstruction
                inside = made[:, :, *(times(span, factor) for span in inner)]
                large[rows, :, *(times(span, factor) for span in whole)] = inside.float().cpu()
        shown = [slice(window * factor, (window + side) * factor) for side in (height, width)]
        cut: NDArray[np.float32] = large[:, :, *shown].clamp(0, 1).movedim(1, -1).numpy()
        return cut


class _Run(Run):
    """Frames of one size together."""

    family: Swin2SR

    def bucket(self, rows: list[Row], buckets_left: int) -> Sequence[Image]:
        done_before = self.steps_done
        smalls = _frames.of(rows)
        pictures = np.stack([np.asarray(small.picture) for small in smalls])
        large = self.family.enlarged(pictures, lambda steps: self.tell(steps, buckets_left, done_before))
        wanted = smalls[0].request.inputs.factor or self.family.factor
        return as_pictures(reduced(large, self.family.factor // wanted))


def reduced(pictures: NDArray[np.float32], by: int) -> NDArray[np.float32]:
    """Pictures (rows, height, width, 3), each pixel the mean of a square of `by` times `by`."""
    rows, height, width, colours = pictures.shape
    squares = pictures.reshape(rows, height // by, by, width // by, by, colours)
    means: NDArray[np.float32] = squares.mean((2, 4), dtype=np.float32)
    return means


@contextmanager
def after_each(modules: Sequence[Any], act: Callable[[], None]) -> Iterator[None]:
    """Calls `act` whenever one of the modules has run; what it raises ends the model's run."""
    hooks = [module.register_forward_hook(lambda *_: act()) for module in modules]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def spans(side: int, tile: int, window: int) -> Iterator[tuple[slice, slice, slice]]:
    """How a side is cut into tiles of at most `tile` pixels, all multiples of `window`: where each lies, what
    is enlarged for it (two windows more on either side, as far as there are), and where in that it lies."""
    pieces = ceil(side / max(tile, window))
    length = ceil(side / pieces / window) * window
    margin = 2 * window
    for start in range(0, side, length):
        end = min(start + length, side)
        first, last = max(start - margin, 0), min(end + margin, side)
        yield slice(start, end), slice(first, last), slice(start - first, end - first)


def times(span: slice, factor: int) -> slice:
    """The same span of the enlarged side."""
    return slice(span.start * factor, span.stop * factor)
