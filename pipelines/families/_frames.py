"""Pictures, and frames of videos, that are enlarged one by one."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from pipelines.base import Request
from pipelines.errors import InvalidInputs, Problem
from pipelines.families._bucket import Row
from pipelines.media import read_picture, read_video
from pipelines.media.pictures import WEBP_SIDE
from pipelines.outputs import Video
from pipelines.seeds import output_seed


@dataclass(frozen=True, eq=False)
class Small(Row):
    """A picture to enlarge, or a frame of a video."""

    picture: Image.Image
    video: Video | None
    """What it is a frame of."""


MOST_PIXELS = 1_000_000_000
"""Of all frames of an enlarged video together, which are held at once, twice, with three bytes each."""


def smalls(number: int, request: Request, max_pixels: int, factor: int) -> Iterator[Small]:
    """The rows of a request to enlarge something `factor` times; raises InvalidInputs where it has more than
    `max_pixels`, or would become larger than can be held or written."""
    video = read_video(request.files["video"]) if "video" in request.files else None
    pictures = (
        [Image.fromarray(frame) for frame in video.frames]
        if video
        else [read_picture(request.files["image"], None)]
    )
    _check_size(pictures[0].size, "video" if video else "image", max_pixels)
    _check_enlarged(pictures, factor, request.inputs.format)
    for index in range(request.inputs.n):
        seed = output_seed(request.inputs.seed, index)
        for picture in pictures:
            yield Small(number, request, index, seed, picture, video)


def size(row: Row) -> Hashable:
    """Width and height in pixels; rows may share a bucket where they agree."""
    return row.picture.size if isinstance(row, Small) else None


def of(rows: Sequence[Row]) -> list[Small]:
    """The rows, which are all small pictures."""
    return [row for row in rows if isinstance(row, Small)]


def joined(rows: Sequence[Row], values: Sequence[Any]) -> Any:
    """The enlarged picture, or the video of the enlarged frames, with the sound that it had."""
    video = of(rows)[0].video
    if video is None:
        (whole,) = values
        return whole
    return Video(np.stack([np.asarray(value) for value in values]), video.fps, video.sound)


def filled_up(picture: Image.Image, multiple: int) -> Image.Image:
    """The picture with its outermost pixels repeated, until both sides are multiples of so many pixels."""
    missing = [-side % multiple for side in picture.size]
    pixels = np.pad(np.asarray(picture), ((0, missing[1]), (0, missing[0]), (0, 0)), mode="edge")
    return Image.fromarray(pixels)


def _check_enlarged(pictures: Sequence[Image.Image], factor: int, form: str) -> None:
    width, height = (side * factor for side in pictures[0].size)
    if len(pictures) * width * height > MOST_PIXELS:
        most = MOST_PIXELS // (width * height)
        detail = f"has {len(pictures)} frames; of {width} × {height} pixels each {most} can be made at most"
        raise InvalidInputs([Problem("/inputs/video", detail)])
    if form == "webp" and max(width, height) > WEBP_SIDE:
        detail = f"WebP has sides of {WEBP_SIDE} pixels at most, and this would become {width} × {height}"
        raise InvalidInputs([Problem("/inputs/format", detail)])


def _check_size(size: tuple[int, int], field: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        detail = f"has {width} × {height} pixels; this model enlarges at most {max_pixels}"
        raise InvalidInputs([Problem(f"/inputs/{field}", detail)])
