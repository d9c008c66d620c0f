"""What a request's files hold, as families need it. The files were checked and rewritten when they came."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pipelines.errors import InvalidInputs, Problem
from pipelines.outputs import Sound, Video

FORMATS = ("PNG", "JPEG", "WEBP")
"""Formats of pictures that are read."""


def read_picture(path: Path, size: tuple[int, int], field: str = "image") -> Image.Image:
    """The picture at `path` as RGB of `size` (width, height in pixels); raises InvalidInputs.

    It is turned as its EXIF says, laid over white where it is transparent, scaled until it covers `size`,
    and cut to it round its middle. `field` is the input that it came by.
    """
    try:
        with Image.open(path, formats=FORMATS) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise _unread(field, f"is not a picture that can be read: {error}") from error
    ground = Image.new("RGBA", upright.size, "white")
    return ImageOps.fit(Image.alpha_composite(ground, upright).convert("RGB"), size, Image.Resampling.LANCZOS)


def read_mask(path: Path, size: tuple[int, int], field: str = "mask") -> Image.Image:
    """The mask at `path` as 8-bit grey of `size`; white, and what is transparent, is made anew."""
    return read_picture(path, size, field).convert("L")


def read_frames(
    path: Path, size: tuple[int, int], frames: int, fps: Fraction | int, field: str = "video"
) -> NDArray[np.uint8]:
    """The first `frames` pictures (fewer where the video ends) of a video at `fps`, as (frames, height,
    width, 3) RGB; raises InvalidInputs.

    Where the rates differ, each picture is the one that is shown at its time. Each is scaled until it covers
    `size`, and cut to it round its middle.
    """
    with _opened(path, field, "video") as container:
        chosen = _at_rate(_shown(container), Fraction(fps), frames)
        fitted = [
            np.asarray(ImageOps.fit(picture, size, Image.Resampling.LANCZOS), np.uint8) for picture in chosen
        ]
    if not fitted:
        raise _unread(field, "holds no picture")
    return np.stack(fitted)


def read_video(path: Path, field: str = "video") -> Video:
    """A whole video at its own size and mean rate, with its sound; raises InvalidInputs."""
    with _opened(path, field, "video") as container:
        stream = container.streams.video[0]
        rate = Fraction(stream.average_rate or stream.guessed_rate or 1)
        frames = [np.asarray(picture, np.uint8) for picture in _at_rate(_shown(container), rate, None)]
        heard = container.streams.audio[0].codec_context if container.streams.audio else None
        sound_format = (heard.sample_rate, min(heard.channels, 2)) if heard else None
    if not frames:
        raise _unread(field, "holds no picture")
    sound = Sound(read_sound(path, *sound_format, field=field), sound_format[0]) if sound_format else None
    return Video(np.stack(frames), rate, sound)


def read_sound(path: Path, rate: int, channels: int, field: str = "audio") -> NDArray[np.float32]:
    """The sound at `path` as (samples, channels) of −1 to 1 at `rate` samples a second; raises
    InvalidInputs. Two channels become one by their mean, one becomes two by doubling.
    """
    with _opened(path, field, "audio") as container:
        resampler = AudioResampler(format="fltp", layout="mono" if channels == 1 else "stereo", rate=rate)
        pieces = [
            piece.to_ndarray()
            for frame in [*container.decode(audio=0), None]
            for piece in resampler.resample(frame)
        ]
    if not pieces:
        raise _unread(field, "holds no sound")
    return np.ascontiguousarray(np.concatenate(pieces, axis=1).T, dtype=np.float32)


@contextmanager
def _opened(path: Path, field: str, media: str) -> Iterator[InputContainer]:
    """A container that has a stream of this media; what its decoders raise is InvalidInputs."""
    try:
        with av.open(path, "r") as container:
            if not any(stream.type == media for stream in container.streams):
                raise _unread(field, f"holds no {media}")
            yield container
    except av.FFmpegError as error:
        raise _unread(field, f"cannot be read: {error.strerror}") from error


def _shown(container: InputContainer) -> Iterator[tuple[float, Image.Image]]:
    """When each picture appears, in seconds from the first, and the picture."""
    first: float | None = None
    for frame in container.decode(video=0):
        at = float(frame.time or 0.0)
        first = at if first is None else first
        yield at - first, Image.fromarray(frame.to_ndarray(format="rgb24"))


def _at_rate(
    shown: Iterator[tuple[float, Image.Image]], fps: Fraction, most: int | None
) -> Iterator[Image.Image]:
    """The picture that is shown in the middle of each frame of a video of `fps`, at most `most`."""
    made = 0
    current = next(shown, None)
    while current is not None:
        (began, picture), following = current, next(shown, None)
        ends = following[0] if following else began + 1 / float(fps)
        while (made + 0.5) / float(fps) < ends:
            if made == most:
                return
            made += 1
            yield picture
        current = following


def _unread(field: str, detail: str) -> InvalidInputs:
    return InvalidInputs([Problem(f"/inputs/{field}", detail)])
