"""The media check of sound and video: what is accepted is decoded and written again; what is hostile is refused."""

# ruff: noqa: E501 - tables of cases

import io
import math
import struct
from array import array
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from infra.media_check import BadMedia, CheckedMedia, UnsupportedMedia, check_media
from infra.media_child.limits import SOUND_SECONDS, VIDEO_FRAME_PIXELS
from pipelines.media import read_sound, read_video
from pipelines.media.videos import FORMATS, write_video
from pipelines.outputs import Video
from tests.media_samples import sound, turned, video, wav


def check(data: bytes, folder: Path, **options: float) -> CheckedMedia:
    sent = folder / "sent"
    sent.write_bytes(data)
    return check_media(sent, folder, **options)


@pytest.mark.parametrize(("codec", "form"), [
    ("pcm_s16le", "wav"), ("pcm_s24le", "wav"), ("pcm_f32le", "wav"), ("flac", "flac"), ("flac", "ogg"), ("libopus", "ogg"),
    ("libmp3lame", "mp3"), ("aac", "mp4"), ("alac", "mov"),
])  # fmt: skip
def test_sound_becomes_flac(codec: str, form: str, tmp_path: Path) -> None:
    rate = 48_000 if codec == "libopus" else 44_100
    checked = check(sound(codec, form, rate=rate), tmp_path)
    assert (checked.media_type, checked.width, checked.frames) == ("audio/flac", None, None)
    assert checked.duration_seconds == pytest.approx(0.5, abs=0.1)
    with av.open(checked.path, "r", format="flac") as stored:
        stream = stored.streams.audio[0]
        assert (stream.rate, len(stream.layout.channels), stream.format.name) == (rate, 2, "s16")
        samples = array("h", b"".join(bytes(frame.planes[0]) for frame in stored.decode(stream)))
    loudness = math.sqrt(sum(value * value for value in samples) / len(samples))
    assert loudness == pytest.approx(9000 / math.sqrt(2), rel=0.15)


@pytest.mark.parametrize(("codec", "form", "sound_codec"), [
    ("libx264", "mp4", "aac"), ("libx265", "mov", ""), ("libvpx-vp9", "webm", "libopus"), ("libvpx", "matroska", ""),
    ("libsvtav1", "mp4", ""),
])  # fmt: skip
def test_video_becomes_webm(codec: str, form: str, sound_codec: str, tmp_path: Path) -> None:
    checked = check(video(codec, form, sound_codec=sound_codec), tmp_path)
    assert (checked.media_type, checked.width, checked.height, checked.frames) == ("video/webm", 64, 48, 12)
    assert checked.duration_seconds == pytest.approx(0.5, abs=0.05)
    with av.open(checked.path) as stored:
        assert stored.streams.video[0].codec_context.name in ("vp9", "libvpx-vp9")
        assert len(stored.streams.audio) == bool(sound_codec)
        frames = list(stored.decode(stored.streams.video[0]))
    assert len(frames) == 12
    assert brightness(frames[0], 0, 0) > 150
    assert brightness(frames[0], 0, 40) < 60


def brightness(frame: av.VideoFrame, x: int, y: int) -> int:
    plane = frame.reformat(format="gray").planes[0]
    return bytes(plane)[y * plane.line_size + x]


def written(folder: Path, pixels: NDArray[np.uint8], rate: int) -> bytes:
    """An MP4 of ours, which says what its colours mean."""
    write_video(Video(pixels, rate), folder / "ours.mp4", FORMATS["mp4"], {})
    return (folder / "ours.mp4").read_bytes()


@pytest.mark.parametrize("rate", [12, 24, 60])
def test_a_video_keeps_its_rate(rate: int, tmp_path: Path) -> None:
    checked = check(written(tmp_path, np.zeros((24, 48, 64, 3), np.uint8), rate), tmp_path)
    again = read_video(checked.path)
    assert (again.fps, len(again.frames)) == (rate, 24)


@pytest.mark.parametrize("degrees", [0, 180])
def test_colours_stay_as_they_are(degrees: int, tmp_path: Path) -> None:
    colour = (200, 30, 60)
    data = written(tmp_path, np.full((8, 48, 64, 3), colour, np.uint8), 24)
    checked = check(turned(data, degrees), tmp_path)
    assert np.abs(read_video(checked.path).frames.mean((0, 1, 2)) - colour).max() < 4


@pytest.mark.parametrize(("sound_at", "pictures_at"), [(12, 0), (0, 12)], ids=["later", "before"])
def test_sound_stays_beside_its_pictures(sound_at: int, pictures_at: int, tmp_path: Path) -> None:
    # Given a second of tone and of pictures, one of which begins half a second after the other
    data = video(
        "libx264", "matroska", frames=24, sound_codec="flac", heard=1.0, starts=(sound_at, pictures_at)
    )
    # Then the sound begins half a second late, or lacks its first half second
    heard = np.abs(read_sound(check(data, tmp_path).path, 48_000, 1)[:, 0])
    quiet = np.flatnonzero(heard > 0.05)[0] / 48_000
    assert (quiet, len(heard) / 48_000) == pytest.approx((0.5, 1.5) if sound_at else (0.0, 0.5), abs=0.05)


def test_pixels_become_square(tmp_path: Path) -> None:
    checked = check(video("libx264", "mp4", pixel=Fraction(4, 3)), tmp_path)
    assert (checked.width, checked.height) == (85, 48)


def test_the_rotation_that_a_video_asks_for_is_applied(tmp_path: Path) -> None:
    checked = check(turned(video("libx264", "mp4"), 90), tmp_path)
    assert (checked.width, checked.height) == (48, 64)
    with av.open(checked.path) as stored:
        frame = next(stored.decode(stored.streams.video[0]))
    assert frame.rotation == 0
    assert brightness(frame, 40, 30) > 150  # what was above is at the right now
    assert brightness(frame, 4, 30) < 60


def test_many_channels_are_mixed_down_and_high_rates_brought_down(tmp_path: Path) -> None:
    checked = check(wav(b"\1\0" * 6 * 19_200, rate=192_000, channels=6), tmp_path)
    assert checked.duration_seconds == pytest.approx(0.1)
    with av.open(checked.path) as stored:
        stream = stored.streams.audio[0]
        assert (stream.rate, len(stream.layout.channels)) == (48_000, 2)


def test_tags_and_covers_are_dropped(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3") as output:
        output.metadata["title"] = "a secret"
        stream = output.add_stream("libmp3lame", rate=44_100, layout="mono")
        frame = av.AudioFrame(format="s16p", layout="mono", samples=11_520)
        frame.sample_rate = 44_100
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert b"a secret" in buffer.getvalue()
    assert b"a secret" not in check(buffer.getvalue(), tmp_path).path.read_bytes()


def damaged(data: bytes) -> bytes:
    return data[: len(data) // 3]


NAN = array("f", [0.5, math.nan, 0.25] * 100).tobytes()
MP4 = video("libx264", "mp4")


@pytest.mark.parametrize(("data", "detail"), [
    pytest.param(wav(b""), "no sound", id="a WAV without samples"),
    pytest.param(wav(b"\0\0" * 64 * 80, channels=64), "64 channels", id="64 channels"),
    pytest.param(wav(b"\0\0" * 80, rate=1), "samples a second", id="1 Hz"),
    pytest.param(wav(b"\0\0" * 80, rate=4_000_000), "samples a second", id="4 MHz"),
    pytest.param(wav(NAN, bits=32, is_float=True), "finite", id="NaN samples"),
    pytest.param(wav(array("f", [math.inf] * 9).tobytes(), bits=32, is_float=True), "finite", id="infinite samples"),
    pytest.param(wav(bytes(int(SOUND_SECONDS + 1) * 8_000), bits=8), "longer than 600 seconds", id="too long a sound"),
    pytest.param(damaged(MP4), "damaged", id="a cut MP4"),
    pytest.param(MP4.replace(b"avc1", b"zzzz"), "not accepted|damaged|neither", id="a codec that there is not"),
    pytest.param(video("mpeg4", "mp4"), "not accepted", id="a codec that is not accepted"),
    pytest.param(video("ffv1", "matroska"), "not accepted", id="another"),
    pytest.param(video("libx264", "mp4", size=(8, 8)), "8 × 8", id="too small a video"),
    pytest.param(video("libx264", "mp4", size=(4096, 2304), frames=1), f"{VIDEO_FRAME_PIXELS:,}", id="too large a video"),
    pytest.param(video("libvpx", "webm", size=(16, 16), frames=1500), "longer than 60 seconds", id="too long a video"),
    pytest.param(b"OggS" + bytes(200), "damaged", id="an Ogg of zeros"),
    pytest.param(b"fLaC" + bytes(200), "damaged|no sound|samples a second", id="a FLAC of zeros"),
    pytest.param(b"\x1aE\xdf\xa3" + bytes(200), "damaged|neither", id="a Matroska of zeros"),
    pytest.param(struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + bytes(200), "damaged|neither", id="an MP4 of zeros"),
    pytest.param(b"ID3" + bytes(200), "damaged|neither|no sound", id="an MP3 of zeros"),
])  # fmt: skip
def test_unfit_files_are_refused(data: bytes, detail: str, tmp_path: Path) -> None:
    with pytest.raises(BadMedia, match=detail):
        check(data, tmp_path)


def test_a_header_that_lies_about_its_length_is_not_believed(tmp_path: Path) -> None:
    """The frames decide: 2^31 − 1 frames and ten years in the header change nothing."""
    lying = bytearray(MP4)
    for box, offset in ((b"mvhd", 16), (b"mdhd", 16)):  # duration, in version 0 of these boxes
        at = lying.index(box) + 4 + offset
        lying[at : at + 4] = struct.pack(">I", 2**31 - 1)
    checked = check(bytes(lying), tmp_path)
    assert (checked.frames, checked.duration_seconds) == (12, pytest.approx(0.5, abs=0.05))


@pytest.mark.parametrize("data", [
    pytest.param(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", id="m3u8"),
    pytest.param(b"ffconcat version 1.0\nfile /etc/passwd\n", id="concat"),
    pytest.param(b"[playlist]\nFile1=/etc/passwd\n", id="pls"),
    pytest.param(b"<?xml version='1.0'?><MPD/>", id="DASH"),
    pytest.param(b"v=0\no=- 0 0 IN IP4 127.0.0.1\n", id="SDP"),
    pytest.param(b"FORM\0\0\0\0AIFF", id="AIFF"), pytest.param(b"FLV\1", id="FLV"),
])  # fmt: skip
def test_playlists_and_other_formats_are_refused_by_their_first_bytes(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMedia):
        check(data, tmp_path)


@pytest.mark.parametrize("head", [b"\x1aE\xdf\xa3", b"ID3", b"OggS", b"RIFF\0\0\0\0WAVE", b"\0\0\0\x10ftyp"])
def test_a_playlist_behind_another_head_is_read_by_nobody(head: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadMedia):
        check(head + b"\n#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", tmp_path)


def test_too_slow_a_check_ends(tmp_path: Path) -> None:
    with pytest.raises(BadMedia, match="within"):
        check(MP4, tmp_path, seconds=1e-9)  # whatever the machine does, that has passed
