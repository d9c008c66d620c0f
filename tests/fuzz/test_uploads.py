"""Uploads made by a machine: real files of each format, cut, bent and glued. Whatever comes, the check ends
in one of two ways: a file that we wrote, or a typed refusal."""

import io
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from mido import MidiFile
from PIL import Image

from infra.media_check import FORMATS, BadMedia, CheckedMedia, UnsupportedMedia, check_media
from infra.media_child.limits import IMAGE_PIXELS, SOUND_SECONDS, VIDEO_FRAME_PIXELS, VIDEO_FRAMES
from tests.bad_inputs.hostile_files import animated, deep, image, png_of, turned
from tests.media_samples import score, sound, video, wav

MAKERS: dict[str, Callable[[], bytes]] = {
    "PNG": lambda: image("PNG", size=(64, 64)),
    "PNG with a palette": lambda: image("PNG", "P"),
    "PNG of 16 bits": deep,
    "animated PNG": lambda: animated("PNG"),
    "JPEG": lambda: image("JPEG", size=(64, 64), progressive=True),
    "JPEG with EXIF": turned,
    "CMYK": lambda: image("JPEG", "CMYK"),
    "WebP": lambda: image("WEBP", size=(64, 64)),
    "lossless WebP": lambda: image("WEBP", "RGBA", lossless=True),
    "WAV": lambda: wav(bytes(range(256)) * 8),
    "WAV of floats": lambda: wav(bytes(4000), bits=32, is_float=True, channels=2),
    "FLAC": lambda: sound("flac", "flac", seconds=0.2),
    "Ogg with Opus": lambda: sound("libopus", "ogg", seconds=0.2, rate=48_000),
    "MP3": lambda: sound("libmp3lame", "mp3", seconds=0.2),
    "M4A": lambda: sound("aac", "mp4", seconds=0.2),
    "MIDI": score,
    "MP4 with H.264 and AAC": lambda: video("libx264", "mp4", sound_codec="aac"),
    "MOV with HEVC": lambda: video("libx265", "mov"),
    "WebM with VP9 and Opus": lambda: video("libvpx-vp9", "webm", sound_codec="libopus"),
    "Matroska with VP8": lambda: video("libvpx", "matroska"),
    "MP4 with AV1": lambda: video("libsvtav1", "mp4"),
    "MP4 with MPEG-4": lambda: video("mpeg4", "mp4"),
    "PNG bomb": lambda: png_of(50_000, 50_000, bytes(100_000)),
    "GIF": lambda: animated("GIF"),
    "playlist": lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
}
EXTREMES = [0, 1, 0x7F, 0x80, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1]
HEADS = [
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"OggS",
    b"ID3\4",
    b"fLaC",
    b"\0\0\0\x10ftypisom",
    b"\x1aE\xdf\xa3",
    b"RIFF\0\0\0\0WAVE",
    b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk",
]
SMALL = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
# Four in ten are refused by their first bytes; more than 2,000 reach a decoder.
LARGE = settings(max_examples=4000, deadline=None, suppress_health_check=list(HealthCheck))


@cache
def sample(name: str) -> bytes:
    return MAKERS[name]()


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A real file after up to four changes."""
    data = sample(draw(st.sampled_from(list(MAKERS))))
    for _ in range(draw(st.integers(0, 4))):
        data = draw(st.sampled_from(CHANGES))(draw, data)
    return data


def cut(draw: st.DrawFn, data: bytes) -> bytes:
    return data[: draw(st.integers(0, len(data)))]


def flip(draw: st.DrawFn, data: bytes) -> bytes:
    """Some bytes become others, most of them near the beginning, where headers are."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 16))):
        if changed:
            reach = len(changed) if draw(st.booleans()) else min(len(changed), 200)
            changed[draw(st.integers(0, reach - 1))] = draw(st.integers(0, 255))
    return bytes(changed)


def set_number(draw: st.DrawFn, data: bytes) -> bytes:
    """A number of a header becomes an extreme one."""
    if len(data) < 4:
        return data
    place = draw(st.integers(0, min(len(data), 2000) - 4))
    number = struct.pack(draw(st.sampled_from("<>")) + "I", draw(st.sampled_from(EXTREMES)))
    return data[:place] + number + data[place + 4 :]


def repeat(draw: st.DrawFn, data: bytes) -> bytes:
    """A part comes again and again."""
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 500)))
    return data[:start] + data[start:end] * draw(st.integers(0, 200)) + data[end:]


def remove(draw: st.DrawFn, data: bytes) -> bytes:
    start = draw(st.integers(0, len(data)))
    return data[:start] + data[draw(st.integers(start, len(data))) :]


def glue(draw: st.DrawFn, data: bytes) -> bytes:
    """Another file behind it, or in the middle of it."""
    other = sample(draw(st.sampled_from(list(MAKERS))))
    place = draw(st.sampled_from([len(data), len(data) // 2]))
    return data[:place] + other + data[place:]


def another_head(draw: st.DrawFn, data: bytes) -> bytes:
    """The first bytes of one format before the rest of another."""
    head = draw(st.sampled_from(HEADS))
    return head + data[draw(st.sampled_from([0, len(head)])) :]


def noise(draw: st.DrawFn, data: bytes) -> bytes:
    return draw(st.sampled_from(HEADS)) + draw(st.binary(max_size=2000))


CHANGES: list[Any] = [cut, flip, flip, set_number, set_number, repeat, remove, glue, another_head, noise]


def check(data: bytes) -> None:
    """One of the two ends, and a file that is what it is said to be."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        sent = Path(folder) / "sent"
        sent.write_bytes(data)
        try:
            media = check_media(sent, Path(folder))
        except (UnsupportedMedia, BadMedia) as refusal:
            event(f"{type(refusal).__name__}: {str(refusal)[:60]}")
            return
        event(f"written as {media.media_type}")
        LOOKS[media.media_type](media)


def look_at_image(media: CheckedMedia) -> None:
    with Image.open(io.BytesIO(media.path.read_bytes()), formats=["PNG"]) as written:
        written.load()
        assert written.size == (media.width, media.height)
        assert written.mode in ("L", "RGB", "RGBA")
        assert written.width * written.height <= IMAGE_PIXELS


def look_at_sound(media: CheckedMedia) -> None:
    with av.open(media.path, "r", format="flac") as written:
        stream = written.streams.audio[0]
        samples = sum(frame.samples for frame in written.decode(stream))
        assert samples / stream.rate == pytest.approx(media.duration_seconds, abs=0.1)
    assert media.duration_seconds is not None
    assert media.duration_seconds <= SOUND_SECONDS


def look_at_video(media: CheckedMedia) -> None:
    with av.open(media.path, "r", format="matroska") as written:
        frames = [(frame.width, frame.height) for frame in written.decode(written.streams.video[0])]
    assert set(frames) == {(media.width, media.height)}
    assert len(frames) == media.frames <= VIDEO_FRAMES
    assert frames[0][0] * frames[0][1] <= VIDEO_FRAME_PIXELS


def look_at_score(media: CheckedMedia) -> None:
    written = MidiFile(media.path)
    assert written.length == pytest.approx(media.duration_seconds, abs=0.01)
    assert written.length <= SOUND_SECONDS + 0.01
    assert any(event.type == "note_on" for track in written.tracks for event in track)


LOOKS = {
    "image/png": look_at_image,
    "audio/flac": look_at_sound,
    "audio/midi": look_at_score,
    "video/webm": look_at_video,
}


def test_every_format_is_among_the_samples() -> None:
    assert {
        media_type for media_type, begins in FORMATS.items() if any(begins(sample(name)) for name in MAKERS)
    } == set(FORMATS)


@SMALL
@given(files())
def test_files_made_by_a_machine(data: bytes) -> None:
    check(data)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@LARGE
@given(files())
def test_many_files_made_by_a_machine(data: bytes) -> None:
    check(data)
