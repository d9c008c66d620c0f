"""Videos as MP4 and WebM at a constant rate with their sound, and what is derived from them."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image

from pipelines.media import metadata
from pipelines.media.encoding import AAC, ENCODER_THREADS, OPUS, SoundCodec, SoundTrack, container
from pipelines.media.pictures import THUMBNAIL_SIDE, png
from pipelines.outputs import Sound, Video

BT709 = 1
"""FFmpeg's number for ITU-R BT.709, as matrix, primaries and transfer."""

LIMITED = 1
"""FFmpeg's number for 16 to 235, the range that players expect of video."""

GIF_RATE = Fraction(25, 2)
"""Most frames a second of a GIF preview."""

QUICK_EFFORT = 1
"""For the PNG of frames, of which there are hundreds: a third of the time, files an eighth larger."""

ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The first time that a ZIP can say: all files of one output have the same bytes each time."""


def _has_avx512(processors: Path = Path("/proc/cpuinfo")) -> bool:
    if not processors.is_file():  # not Linux
        return False
    with processors.open() as lines:  # of every core; the first one's do
        return " avx512" in next((line for line in lines if line.startswith("flags")), "")


STEADY = {"x264-params": "asm=avx2"} if _has_avx512() else {}
"""Options of x264 that keep it from its AVX-512 code, which writes other bytes of the same frames now and
then. Without it, it writes what it mostly wrote, as fast."""


@dataclass(frozen=True)
class VideoFormat:
    """A file format of videos."""

    suffix: str
    media_type: str
    codec: str
    sound: SoundCodec
    even: bool
    """Whether width and height must be even, as H.264 with colour at half resolution needs it."""
    encoder: Mapping[str, str]
    """Options of the encoder."""
    muxer: Mapping[str, str] = field(default_factory=dict)


FORMATS = {
    "mp4": VideoFormat(
        "mp4",
        "video/mp4",
        "libx264",
        AAC,
        even=True,
        encoder={"preset": "medium", "crf": "17", **STEADY},
        muxer={"movflags": "+faststart+use_metadata_tags"},
    ),
    "webm": VideoFormat(
        "webm",
        "video/webm",
        "libvpx-vp9",
        OPUS,
        even=False,
        encoder={"crf": "22", "b": "0", "deadline": "good", "cpu-used": "4"},
    ),
}
"""By the inputs' `format`."""


def write_video(video: Video, path: Path, form: VideoFormat, history: Mapping[str, str]) -> int | None:
    """Write a video; the samples a second of its sound, if it has one.

    The sound is cut where the pictures end. Where the format needs even sides, the last column or row is
    there twice.
    """
    fps = Fraction(video.fps)
    frames = _even(video.frames) if form.even else video.frames
    with container(path, form.suffix, metadata.tags(history), **form.muxer) as file:
        stream = _picture_stream(file, form, fps, frames.shape[2], frames.shape[1])
        track = SoundTrack(file, form.sound, _cut(video.sound, len(frames) / fps)) if video.sound else None
        for number, frame in enumerate(frames):
            file.mux(stream.encode(_frame(frame, number, fps)))
            if track:
                track.encode_until((number + 1) / fps)
        file.mux(stream.encode(None))
        if track:
            track.finish()
    return track.rate if track else None


def size(video: Video, form: VideoFormat) -> tuple[int, int]:
    """Width and height of the file."""
    height, width = video.frames.shape[1:3]
    return (width + width % 2, height + height % 2) if form.even else (width, height)


def gif(video: Video, history: Mapping[str, str]) -> tuple[bytes, tuple[int, int], int]:
    """A small animated preview, its size, and how many frames it has."""
    step = ceil(Fraction(video.fps) / GIF_RATE)
    pictures = [_small(frame) for frame in video.frames[::step]]
    starts = [*range(0, len(video.frames), step), len(video.frames)]
    ticks = [round(100 * start / float(video.fps)) for start in starts]  # hundredths of a second
    data = io.BytesIO()
    pictures[0].save(
        data,
        "GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=[10 * (end - start) for start, end in pairwise(ticks)],
        loop=0,
        comment=metadata.line(history).encode(),
    )
    with Image.open(data) as written:  # which shows equal frames as one, for longer
        frames = getattr(written, "n_frames", 1)
    return data.getvalue(), pictures[0].size, frames


def _small(frame: NDArray[np.uint8]) -> Image.Image:
    picture = Image.fromarray(frame)
    picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    return picture


def write_frames(video: Video, path: Path, history: Mapping[str, str]) -> None:
    """Write every frame as PNG into a ZIP, named by its number from 00000.png on."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number, frame in enumerate(video.frames):
            entry = zipfile.ZipInfo(f"{number:05}.png", ZIP_TIME)
            entry.external_attr = 0o644 << 16
            told = {**history, "frame": str(number)}
            archive.writestr(entry, png(Image.fromarray(frame), told, QUICK_EFFORT))


def _picture_stream(file: OutputContainer, form: VideoFormat, fps: Fraction, width: int, height: int) -> Any:
    stream: Any = file.add_stream(form.codec, rate=fps, options=dict(form.encoder))
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.time_base = 1 / fps
    context.thread_count = ENCODER_THREADS
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = LIMITED
    return stream


def _frame(pixels: NDArray[np.uint8], number: int, fps: Fraction) -> VideoFrame:
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24").reformat(
        format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
    )
    frame.pts, frame.time_base = number, 1 / fps
    return frame


def _even(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = frames.shape[1:3]
    if height % 2 or width % 2:
        return np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return frames


def _cut(sound: Sound, seconds: Fraction) -> Sound:
    """The sound's first seconds."""
    return Sound(sound.samples[: round(seconds * sound.rate)], sound.rate)
