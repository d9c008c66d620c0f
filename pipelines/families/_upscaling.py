"""What the upscalers share: a picture is enlarged as it is, a video frame by frame with the same noise."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from pipelines.base import Request
from pipelines.errors import InvalidInputs, Problem
from pipelines.families._bucket import Bucket, Row
from pipelines.families._diffusers import DiffusersFamily
from pipelines.families._pixels import as_pictures
from pipelines.media import read_picture, read_video
from pipelines.outputs import Video
from pipelines.seeds import output_seed


@dataclass(frozen=True, eq=False)
class Small(Row):
    """A picture to enlarge, or a frame of a video."""

    picture: Image.Image
    video: Video | None
    """What it is a frame of."""


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
        video = read_video(request.files["video"]) if "video" in request.files else None
        pictures = (
            [Image.fromarray(frame) for frame in video.frames]
            if video
            else [read_picture(request.files["image"], None)]
        )
        self._check_size(pictures[0].size, "video" if video else "image")
        for index in range(request.inputs.n):
            seed = output_seed(request.inputs.seed, index)
            for picture in pictures:
                yield Small(number, request, index, seed, picture, video)

    def alike(self, row: Row) -> Hashable:
        return row.picture.size if isinstance(row, Small) else None

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        inputs = bucket.inputs
        return {
            "prompt": bucket.each("prompt"),
            "negative_prompt": bucket.each("negative_prompt"),
            "image": [self._filled_up(row.picture) for row in _small(bucket.rows)],
            "generator": bucket.generators(),
            "num_inference_steps": inputs.steps,
            "guidance_scale": inputs.guidance,
            "output_type": "np",
        }

    def values(self, result: Any, bucket: Bucket) -> Sequence[Any]:
        width, height = (side * self.factor for side in _small(bucket.rows)[0].picture.size)
        return as_pictures(result.images[:, :height, :width])

    def joined(self, rows: Sequence[Row], values: Sequence[Any]) -> Any:
        video = _small(rows)[0].video
        if video is None:
            return super().joined(rows, values)
        return Video(np.stack([np.asarray(value) for value in values]), video.fps, video.sound)

    def problems(self, request: Request) -> list[Problem]:
        found = super().problems(request)
        if request.inputs.factor not in (None, self.factor):
            found.append(Problem("/inputs/factor", f"this model makes pictures {self.factor} times as large"))
        return found

    def _check_size(self, size: tuple[int, int], field: str) -> None:
        width, height = size
        if width * height > self.max_pixels:
            detail = f"has {width} × {height} pixels; this model enlarges at most {self.max_pixels}"
            raise InvalidInputs([Problem(f"/inputs/{field}", detail)])

    def _filled_up(self, picture: Image.Image) -> Image.Image:
        missing = [-side % self.multiple_of for side in picture.size]
        pixels = np.pad(np.asarray(picture), ((0, missing[1]), (0, missing[0]), (0, 0)), mode="edge")
        return Image.fromarray(pixels)


def _small(rows: Sequence[Row]) -> list[Small]:
    return [row for row in rows if isinstance(row, Small)]
