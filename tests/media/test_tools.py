"""Every file opens in tools that are not ours, and is what its record says."""

import io
import zipfile
from fractions import Fraction

import mido
import numpy as np
import pytest
from PIL import Image

from pipelines import media
from pipelines.base import Output
from pipelines.outputs import File
from tests.media import tools
from tests.media.samples import asked, sound, video

Written = dict[str, dict[str, File]]

MEDIA_TYPES = {
    "audio/wav": {"audio/x-wav", "audio/wav"},
    "audio/midi": {"audio/midi"},
    "audio/ogg": {"audio/ogg"},
}
"""What `file` calls a media type, where it has another name for it."""


def test_file_agrees_with_every_media_type(written: Written) -> None:
    for files in written.values():
        for file in files.values():
            allowed = MEDIA_TYPES.get(file.media_type, {file.media_type})
            assert tools.file_type(file.path) in allowed, file.name
            assert file.bytes == file.path.stat().st_size


def test_ffprobe_reads_every_picture_video_and_sound_whole(written: Written) -> None:
    for files in written.values():
        for file in files.values():
            if file.media_type in ("application/zip", "audio/midi"):
                continue
            probed = tools.probe(file.path)
            for stream in probed["streams"]:
                assert stream.get("nb_read_frames", "0") != "0", file.name
            if file.width is not None:
                shown = tools.stream(probed, "video")
                assert (int(shown["width"]), int(shown["height"])) == (file.width, file.height), file.name
            if file.duration_seconds is not None:
                assert float(probed["format"]["duration"]) == pytest.approx(file.duration_seconds, abs=0.06)


@pytest.mark.parametrize(
    ("form", "picture", "heard"),
    [("mp4", ("h264", "yuv420p"), "aac"), ("webm", ("vp9", "yuv420p"), "opus")],
)
@pytest.mark.parametrize("fps", [8, 24, Fraction(30_000, 1001)])
def test_a_video_has_the_frames_the_rate_and_the_length_that_its_record_says(
    tmp_path, form, picture, heard, fps
):
    seconds = 20 / float(fps)
    output = Output(0, video(20, fps, (96, 64), sound(seconds, 32_000)), 7)

    file = media.write(output, tmp_path, {}, asked(form))[0]

    probed = tools.probe(file.path)
    shown, sounding = tools.stream(probed, "video"), tools.stream(probed, "audio")
    assert (shown["codec_name"], shown["pix_fmt"], sounding["codec_name"]) == (*picture, heard)
    assert (int(shown["width"]), int(shown["height"])) == (96, 64) == (file.width, file.height)
    assert int(shown["nb_read_frames"]) == 20 == file.frames
    assert Fraction(shown["avg_frame_rate"]) == Fraction(shown["r_frame_rate"]) == Fraction(fps)
    assert file.fps == pytest.approx(float(fps))
    assert float(probed["format"]["duration"]) == pytest.approx(seconds, abs=0.02)
    assert file.duration_seconds == pytest.approx(seconds, abs=1e-5)
    assert int(sounding["sample_rate"]) == file.sample_rate == (32_000 if form == "mp4" else 48_000)
    assert int(sounding["channels"]) == file.channels == 2
    assert (shown["color_space"], shown["color_range"]) == ("bt709", "tv")


@pytest.mark.parametrize("form", ["mp4", "webm"])
@pytest.mark.parametrize("frames", [1, 2, 257])
def test_a_video_of_any_length_is_whole(tmp_path, form, frames):
    file = media.write(Output(0, video(frames, 24, (64, 64)), 7), tmp_path, {}, asked(form))[0]

    probed = tools.probe(file.path)
    assert int(tools.stream(probed, "video")["nb_read_frames"]) == frames
    assert float(probed["format"]["duration"]) == pytest.approx(frames / 24, abs=0.02)
    assert (file.sample_rate, file.channels) == (None, None)


def test_an_mp4_plays_while_it_loads(written: Written) -> None:
    data = written["mp4"]["mp4"].path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(("form", "size"), [("mp4", (64, 48)), ("webm", (63, 47))])
def test_an_odd_size_is_never_scaled(tmp_path, form, size):
    """Where H.264 needs even sides, the last column and row are there twice."""
    made = video(3, 24, (63, 47))
    file = media.write(Output(0, made, 7), tmp_path, {}, asked(form))[0]

    assert (file.width, file.height) == size
    back = media.read_video(file.path).frames
    assert back.shape == (3, size[1], size[0], 3)
    assert abs(back[:, :47, :63].astype(int) - made.frames).mean() < 3


@pytest.mark.parametrize("form", ["mp4", "webm"])
def test_colours_stay(tmp_path, form):
    made = video(4, 24, (64, 64))
    for number, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255), (250, 240, 10)]):
        made.frames[number] = colour
    file = media.write(Output(0, made, 7), tmp_path, {}, asked(form))[0]

    raw = tools.run("ffmpeg", "-v", "error", "-i", file.path, "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    for number, pixel in enumerate(made.frames[:, 32, 32]):
        at = 3 * 64 * (64 * number + 32) + 3 * 32
        assert max(abs(a - b) for a, b in zip(raw[at : at + 3], pixel.tolist(), strict=True)) <= 8


CODECS = {"flac": "flac", "wav": "pcm_s24le", "ogg": "opus", "mp3": "mp3"}


@pytest.mark.parametrize(
    ("form", "rate", "becomes"),
    [
        *(("flac", rate, rate) for rate in (16_000, 32_000, 44_100, 96_000)),
        *(("wav", rate, rate) for rate in (16_000, 44_100)),
        *(("ogg", rate, 48_000) for rate in (16_000, 44_100, 48_000)),
        *(("mp3", rate, rate) for rate in (16_000, 32_000, 44_100)),
        ("mp3", 96_000, 48_000),
    ],
)
def test_a_sound_has_the_rate_and_the_length_that_its_record_says(tmp_path, form, rate, becomes):
    click, channels = 0.5, 1 if rate == 16_000 else 2
    output = Output(0, sound(1.25, rate, channels, (click,)), 7)

    file = media.write(output, tmp_path, {}, asked(form))[0]

    stream = tools.stream(tools.probe(file.path), "audio")
    assert (stream["codec_name"], int(stream["sample_rate"])) == (CODECS[form], becomes)
    assert (file.sample_rate, file.channels, int(stream["channels"])) == (becomes, channels, channels)
    assert file.duration_seconds == 1.25
    heard = tools.heard(file.path)
    assert len(heard) / 48_000 == pytest.approx(1.25, abs=0.001)
    assert np.flatnonzero(abs(heard) > 0.2)[0] / 48_000 == pytest.approx(click, abs=0.002)
    if form in ("flac", "wav"):
        assert stream["bits_per_raw_sample"] == "24"


@pytest.mark.parametrize("form", ["flac", "wav"])
def test_nothing_is_lost_but_what_24_bits_cannot_say(tmp_path, form):
    made = sound(0.5, 44_100, 2, (0.1,))
    made.samples[:100, 0] = 1.7  # too loud is clipped
    file = media.write(Output(0, made, 7), tmp_path, {}, asked(form))[0]

    back = media.read_sound(file.path, 44_100, 2)
    assert back.shape == made.samples.shape
    assert abs(back - made.samples.clip(-1, 1)).max() < 2**-22


def test_a_score_is_parsed_and_says_how_it_was_made(written: Written) -> None:
    parsed = mido.MidiFile(written["flac"]["mid"].path)

    assert parsed.length == pytest.approx(2.0)
    notes = [message.note for message in parsed.tracks[0] if message.type == "note_on"]
    assert notes == [60, 62, 64, 65]
    text = next(message for message in parsed.tracks[0] if message.type == "text").text
    assert text.startswith(media.MARK)


@pytest.mark.parametrize("fps", [8, 24, 30])
def test_a_gif_moves_as_fast_as_its_video(tmp_path, fps) -> None:
    made = Output(0, video(30, fps, (320, 160)), 7)
    gif = next(
        file
        for file in media.write(made, tmp_path, {}, asked("mp4", extras=["gif"]))
        if file.role == "preview"
    )

    with Image.open(gif.path) as picture:
        assert picture.size == (256, 128) == (gif.width, gif.height)
        assert picture.n_frames == gif.frames
        durations = []
        for number in range(picture.n_frames):
            picture.seek(number)
            durations.append(picture.info["duration"])
    assert sum(durations) == pytest.approx(1000 * 30 / fps, abs=10)
    assert min(durations[:-1]) >= 80  # the last one may stand for fewer frames
    assert float(tools.probe(gif.path)["format"]["duration"]) == pytest.approx(30 / fps, abs=0.02)


@pytest.mark.parametrize("frames", [1, 24])
def test_a_gif_of_a_still_has_one_frame(tmp_path, frames) -> None:
    made = video(frames)
    made.frames[:] = 99
    files = media.write(Output(0, made, 7), tmp_path, {}, asked("mp4", extras=["gif"]))
    gif = next(file for file in files if file.role == "preview")
    assert (gif.frames, gif.duration_seconds) == (1, round(frames / 24, 2))
    assert tools.file_type(gif.path) == "image/gif"


def test_frames_are_given_one_by_one(tmp_path) -> None:
    made = video(5)
    files = media.write(Output(0, made, 7), tmp_path, {"prompt": "x"}, asked("webm", extras=["frames"]))
    archive = next(file for file in files if file.role == "frames")

    with zipfile.ZipFile(archive.path) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == [f"{number:05}.png" for number in range(5)]
        with Image.open(io.BytesIO(opened.read("00003.png"))) as picture:
            assert picture.tobytes() == made.frames[3].tobytes()
            assert (picture.text["prompt"], picture.text["frame"]) == ("x", "3")
