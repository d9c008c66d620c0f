"""What a request's files hold, as families need it. The files were checked and rewritten when they came."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pipelines.errors import InvalidInputs, Problem
from pipelines.outputs import Sound, Video

FORMATS = ("PNG", "JPEG", "WEBP")
"""Formats of pictures that are read."""

SLACK_SECONDS = 0.002
"""By how much a picture may come late and still count: WebM rounds its times to a thousandth of a second."""


def read_picture(path: Path, size: tuple[int, int] | None, field: str = "image") -> Image.Image:
    """The picture at `path` as RGB of `size` (width, height in pixels; None: its own); raises InvalidInputs.

    It is turned as its EXIF says, laid over white where it is transparent, scaled until it covers `size`,
    and cut to it round its middle. `field` is the input that it came by.
    """
    try:
        with Image.open(path, formats=FORMATS) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise _unread(field, f"is not a picture that can be read: {error}") from error
    ground = Image.new("RGBA", upright.size, "white")
    opaque = Image.alpha_composite(ground, upright).convert("RGB")
    return ImageOps.fit(opaque, size, Image.Resampling.LANCZOS) if size else opaque


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
        fitted = [
            np.asarray(ImageOps.fit(picture, size, Image.Resampling.LANCZOS), np.uint8)
            for picture in _at_rate(container, Fraction(fps), frames)
        ]
    if not fitted:
        raise _unread(field, "holds no picture")
    return np.stack(fitted)


def read_video(path: Path, field: str = "video") -> Video:
    """A whole video at its own size and mean rate, with its sound; raises InvalidInputs."""
    with _opened(path, field, "video") as container:
        rate = _mean_rate(container)
        frames = [np.asarray(picture, np.uint8) for picture in _at_rate(container, rate)]
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
        layout = "mono" if container.streams.audio[0].channels == 1 else "stereo"
        resampler = AudioResampler(format="fltp", layout=layout, rate=rate)
        frames = chain(container.decode(audio=0), [None])
        pieces = [piece.to_ndarray() for frame in frames for piece in resampler.resample(frame)]
    if not pieces:
        raise _unread(field, "holds no sound")
    heard = np.concatenate(pieces, axis=1, dtype=np.float32)
    if channels == 1:
        mean: NDArray[np.float32] = heard.mean(axis=0, dtype=np.float32)
        return mean[:, None]
    return np.ascontiguousarray(np.broadcast_to(heard, (2, heard.shape[1])).T)


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


def _mean_rate(container: InputContainer) -> Fraction:
    stream = container.streams.video[0]
    return Fraction(stream.average_rate or stream.guessed_rate or 1)


def _at_rate(container: InputContainer, fps: Fraction, most: int | None = None) -> Iterator[Image.Image]:
    """The picture that is shown at the beginning of each frame of a video of `fps`, at most `most`."""
    made = 0
    for picture, ends in _shown(container):
        while made / fps + SLACK_SECONDS < ends:
            if made == most:
                return
            made += 1
            yield picture


def _shown(container: InputContainer) -> Iterator[tuple[Image.Image, float]]:
    """Each picture, and until when it is shown, in seconds from the first."""
    frames = container.decode(video=0)
    current = next(frames, None)
    first = _time(current) if current else 0.0
    while current is not None:
        following = next(frames, None)
        ends = _time(following) if following else _time(current) + float(1 / _mean_rate(container))
        yield Image.fromarray(current.to_ndarray(format="rgb24")), ends - first
        current = following


def _time(frame: VideoFrame) -> float:
    return float(frame.time or 0.0)


def _unread(field: str, detail: str) -> InvalidInputs:
    return InvalidInputs([Problem(f"/inputs/{field}", detail)])
