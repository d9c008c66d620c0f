"""Swin2SR: enlarges pictures in one pass, by attention within small windows. Nothing is drawn by lot."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
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
        which it is, in pixels; smaller ones take less memory, and more time for what they overlap."""
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
        with torch.inference_mode():
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
        return _frames.smalls(number, request, self.max_pixels)

    def alike(self, row: Row) -> Hashable:
        return _frames.size(row)

    def joined(self, rows: Sequence[Row], values: Sequence[Any]) -> Any:
        return _frames.joined(rows, values)

    def facts(self, request: Request) -> Mapping[str, Any]:
        return {}


class _Run(Run):
    """Tile after tile, stage after stage. A smaller factor than the model's own: its pixels are averaged."""

    family: Swin2SR

    def bucket(self, rows: list[Row], buckets_left: int) -> Sequence[Image]:
        family, smalls = self.family, _frames.of(rows)
        width, height = smalls[0].picture.size
        filled = [np.asarray(_frames.filled_up(small.picture, family.window)) for small in smalls]
        pixels = torch.from_numpy(np.stack(filled)).movedim(-1, 1).to(family.model.device, family.model.dtype)
        pieces = list(product(*(spans(side, family.tile, family.window) for side in pixels.shape[2:])))
        stages = family.model.swin2sr.encoder.stages
        steps, done_before = len(pieces) * len(stages), self.steps_done
        large = torch.empty(*pixels.shape[:2], *(side * family.factor for side in pixels.shape[2:]))
        with after_each(stages, lambda: self.tell(steps, buckets_left, done_before)):
            for down, across in pieces:
                whole, part, inner = zip(down, across, strict=True)
                made = family.model(pixel_values=pixels[:, :, *part] / 255).reconstruction
                large[:, :, *(times(span, family.factor) for span in whole)] = made[
                    :, :, *(times(span, family.factor) for span in inner)
                ].cpu()
        factor = smalls[0].request.inputs.factor or family.factor
        large = large[:, :, : height * family.factor, : width * family.factor]
        large = torch.nn.functional.avg_pool2d(large, family.factor // factor)
        return as_pictures(large.clamp(0, 1).movedim(1, -1).numpy())


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
