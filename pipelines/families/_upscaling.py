"""What the upscalers of diffusers share: a picture is enlarged as it is, a video frame by frame with the
same noise."""

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, ClassVar

from pipelines.base import Request
from pipelines.errors import Problem
from pipelines.families import _frames
from pipelines.families._bucket import Bucket, Row
from pipelines.families._diffusers import DiffusersFamily
from pipelines.families._pixels import as_pictures


class Upscaler(DiffusersFamily):
    factor: ClassVar[int]
    """How many times as wide and high its pictures become."""
    multiple_of: ClassVar[int]
    """What it can work on, in pixels. Other sizes are filled up with the outermost pixels, and what becomes
    of those is cut off."""

    def __init__(self, pipe: Any, *, max_pixels: int = 512 * 512, **more: Any) -> None:
        """`max_pixels`: the most width × height that is enlarged."""
        super().__init__(pipe, **more)
        self.max_pixels = max_pixels

    def rows(self, number: int, request: Request) -> Iterator[Row]:
        return _frames.smalls(number, request, self.max_pixels, self.factor)

    def alike(self, row: Row) -> Hashable:
        return _frames.size(row)

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        inputs = bucket.inputs
        return {
            "prompt": bucket.each("prompt"),
            "negative_prompt": bucket.each("negative_prompt"),
            "image": [_frames.filled_up(row.picture, self.multiple_of) for row in _frames.of(bucket.rows)],
            "generator": bucket.generators(),
            "num_inference_steps": inputs.steps,
            "guidance_scale": inputs.guidance,
            "output_type": "np",
        }

    def values(self, result: Any, bucket: Bucket) -> Sequence[Any]:
        width, height = (side * self.factor for side in _frames.of(bucket.rows)[0].picture.size)
        return as_pictures(result.images[:, :height, :width])

    def joined(self, rows: Sequence[Row], values: Sequence[Any]) -> Any:
        return _frames.joined(rows, values)

    def problems(self, request: Request) -> list[Problem]:
        found = super().problems(request)
        if request.inputs.factor not in (None, self.factor):
            found.append(Problem("/inputs/factor", f"this model makes pictures {self.factor} times as large"))
        return found
