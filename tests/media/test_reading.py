"""Files as families get them."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines import media
from pipelines.base import Output
from pipelines.errors import InvalidInputs
from pipelines.outputs import Sound, Video
from tests.media.samples import asked, sound, video
from tests.media_samples import sound as encoded_sound
from tests.media_samples import video as encoded_video


def read(path, size=(60, 40)):
    return media.read_picture(path, size)


def test_a_picture_is_scaled_to_cover_and_cut_round_its_middle(tmp_path):
    wide = Image.new("RGB", (300, 100), "red")
    wide.paste("blue", (100, 0, 200, 100))
    wide.save(tmp_path / "wide.png")

    picture = read(tmp_path / "wide.png", (50, 50))

    assert (picture.mode, picture.size) == ("RGB", (50, 50))
    assert picture.getpixel((25, 25)) == (0, 0, 255)
    assert picture.getpixel((5, 25)) == (0, 0, 255)  # the red thirds are cut away


def test_what_is_transparent_is_white(tmp_path):
    Image.new("RGBA", (60, 40), (0, 0, 0, 0)).save(tmp_path / "clear.png")

    assert read(tmp_path / "clear.png").getcolors() == [(2400, (255, 255, 255))]
    mask = media.read_mask(tmp_path / "clear.png", (60, 40))
    assert (mask.mode, mask.getcolors()) == ("L", [(2400, 255)])


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "I;16", "LA", "1"])
def test_every_mode_is_read(tmp_path, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    Image.new(mode, (60, 40)).save(tmp_path / f"x.{suffix}")

    assert read(tmp_path / f"x.{suffix}").mode == "RGB"


def test_a_photo_is_turned_as_its_exif_says(tmp_path):
    photo = Image.new("RGB", (60, 40), "red")
    photo.paste("blue", (0, 0, 60, 20))
    exif = Image.Exif()
    exif[0x0112] = 3  # taken upside down
    photo.save(tmp_path / "photo.png", exif=exif)

    assert read(tmp_path / "photo.png").getpixel((30, 35)) == (0, 0, 255)


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"<svg/>"])
def test_what_cannot_be_read_is_refused_with_its_field(tmp_path, data):
    path = tmp_path / "x"
    path.write_bytes(data)
    readers = {
        "/inputs/image": lambda: media.read_picture(path, (8, 8)),
        "/inputs/mask": lambda: media.read_mask(path, (8, 8)),
        "/inputs/video": lambda: media.read_frames(path, (8, 8), 3, 8),
        "/inputs/other": lambda: media.read_video(path, "other"),
        "/inputs/audio": lambda: media.read_sound(path, 8_000, 1),
    }
    for pointer, reader in readers.items():
        with pytest.raises(InvalidInputs) as caught:
            reader()
        assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_a_sound_is_no_video_and_a_silent_video_no_sound(tmp_path):
    (tmp_path / "x.flac").write_bytes(encoded_sound("flac", "flac"))
    (tmp_path / "x.webm").write_bytes(encoded_video("libvpx-vp9", "webm"))

    with pytest.raises(InvalidInputs, match="holds no video"):
        media.read_frames(tmp_path / "x.flac", (8, 8), 3, 8)
    with pytest.raises(InvalidInputs, match="holds no audio"):
        media.read_sound(tmp_path / "x.webm", 8_000, 1)


def numbered(folder: Path, frames: int = 24, fps: int = 24, size: tuple[int, int] = (64, 48)) -> Path:
    """A video whose frame k has the brightness 10 k."""
    made = video(frames, fps, size)
    for number in range(frames):
        made.frames[number] = 10 * number
    return media.write(Output(0, made, 1), folder, {}, asked("webm"))[0].path


def shades(frames: np.ndarray) -> list[int]:
    return [round(float(frame.mean()) / 10) for frame in frames]


@pytest.mark.parametrize(
    ("frames", "fps", "expected"),
    [
        (4, 24, [0, 1, 2, 3]),
        (100, 24, list(range(24))),
        (4, 12, [0, 2, 4, 6]),
        (6, 48, [0, 0, 1, 1, 2, 2]),
        (100, 1, [0]),
        (3, Fraction(24, 5), [0, 5, 10]),
    ],
)
def test_frames_are_those_that_are_shown_at_the_wanted_rate(tmp_path, frames, fps, expected):
    read = media.read_frames(numbered(tmp_path), (32, 24), frames, fps)

    assert (read.dtype, read.shape) == (np.uint8, (len(expected), 24, 32, 3))
    assert shades(read) == expected


def test_frames_are_cut_to_size_round_their_middle(tmp_path):
    made = video(3, 24, (96, 32))
    made.frames[:] = 0
    made.frames[:, :, 32:64] = 255
    path = media.write(Output(0, made, 1), tmp_path, {}, asked("mp4"))[0].path

    assert media.read_frames(path, (32, 32), 3, 24)[:, 4:28, 4:28].min() > 240


def test_a_video_comes_back_with_its_rate_and_its_sound(tmp_path):
    made = video(12, Fraction(30_000, 1001), (64, 48), sound(0.4, 48_000, clicks=(0.1,)))
    path = media.write(Output(0, made, 1), tmp_path, {}, asked("mp4"))[0].path

    back = media.read_video(path)

    assert (back.frames.shape, back.fps) == ((12, 48, 64, 3), Fraction(30_000, 1001))
    assert abs(back.frames.astype(int) - made.frames).mean() < 3
    assert isinstance(back, Video)
    assert isinstance(back.sound, Sound)
    assert back.sound.rate == 48_000
    assert len(back.sound.samples) / 48_000 == pytest.approx(0.4, abs=0.03)
    assert np.flatnonzero(abs(back.sound.samples[:, 0]) > 0.2)[0] == pytest.approx(4_800, abs=100)


@pytest.mark.parametrize("frames", [1, 2, 257])
def test_no_frame_is_lost_or_doubled(tmp_path, frames):
    path = media.write(Output(0, video(frames, 30, (32, 32)), 1), tmp_path, {}, asked("webm"))[0].path
    assert len(media.read_video(path).frames) == frames


@pytest.mark.parametrize(
    "codec",
    [("pcm_s16le", "wav"), ("flac", "flac"), ("libopus", "ogg"), ("libmp3lame", "mp3"), ("aac", "mp4")],
)
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (48_000, 2)])
def test_a_sound_is_read_at_any_rate(tmp_path, codec, rate, channels):
    source_rate = 48_000 if codec[0] == "libopus" else 44_100
    (tmp_path / "x").write_bytes(encoded_sound(*codec, seconds=1.0, rate=source_rate))

    read = media.read_sound(tmp_path / "x", rate, channels)

    assert (read.dtype, read.shape[1]) == (np.float32, channels)
    assert len(read) / rate == pytest.approx(1.0, abs=0.06)
    assert abs(read).max() == pytest.approx(9_000 / 2**15, abs=0.03)
