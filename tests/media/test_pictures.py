"""Pictures, their thumbnails and previews; texts."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from pipelines import media
from pipelines.base import PREVIEW_BYTES, Output
from pipelines.errors import EngineError
from pipelines.kinds import parse_inputs
from pipelines.outputs import Sound
from tests.media.samples import PROVENANCE, asked, picture, sound, video

PNG = asked("png")


def test_a_png_says_how_it_was_made(tmp_path):
    png, thumbnail = media.write(picture(), tmp_path, PROVENANCE, PNG)

    with Image.open(png.path) as image:
        text = dict(image.text)
        assert image.size == (64, 48)
    assert text.pop("XML:com.adobe.xmp").count("trainedAlgorithmicMedia") == 1
    assert text == {
        "Software": "Atelier",
        "Comment": media.MARK,
        "prompt": PROVENANCE["prompt"],
        "model": "house/scenes",
        "revision": "1",
        "job": PROVENANCE["job"],
        "steps": "25",
        "guidance": "4.0",
        "seed": "7",
        "output": "2",
        "bucket": "4",
        "row": "1",
    }
    assert (png.name, png.role, png.media_type) == ("2.png", "output", "image/png")
    assert (png.width, png.height) == (64, 48)
    names = (thumbnail.name, thumbnail.role, thumbnail.media_type)
    assert names == ("2.thumbnail.webp", "thumbnail", "image/webp")


@pytest.mark.parametrize(("form", "name"), [("png", "2.png"), ("webp", "2.webp"), ("jpeg", "2.jpg")])
def test_every_format_has_the_same_sample(tmp_path, form, name):
    made = picture()

    file, thumbnail = media.write(made, tmp_path, PROVENANCE, asked(form))

    assert file.name == name
    assert file.sample_sha256 == hashlib.sha256(made.value.tobytes()).hexdigest() == thumbnail.sample_sha256
    with Image.open(file.path) as image:
        assert image.format == form.upper()
        assert image.mode == "RGB"
        assert b"trainedAlgorithmicMedia" in file.path.read_bytes()
        if form != "jpeg":
            assert image.tobytes() == made.value.tobytes()


@pytest.mark.parametrize("form", ["png", "webp", "jpeg"])
@pytest.mark.parametrize("size", [(300, 300), (1, 1), (2048, 64)])
def test_noise_of_any_size_is_written(tmp_path, form, size):
    file = media.write(picture(size), tmp_path, PROVENANCE, asked(form))[0]
    with Image.open(file.path) as image:
        image.load()
        assert image.size == size == (file.width, file.height)


@pytest.mark.parametrize("form", ["png", "webp", "jpeg"])
def test_prompts_of_any_length_are_no_reason_to_fail(tmp_path, form):
    longest = {**PROVENANCE, "prompt": "\x01" * 4000, "negative_prompt": "\x01" * 4000}

    file = media.write(picture(), tmp_path, longest, asked(form))[0]

    assert b"trainedAlgorithmicMedia" in file.path.read_bytes()


def test_digests_are_of_the_file(tmp_path):
    for file in media.write(picture(), tmp_path, PROVENANCE, PNG):
        assert file.bytes == file.path.stat().st_size
        assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()


@pytest.mark.parametrize(("size", "expected"), [((64, 48), (64, 48)), ((1024, 512), (256, 128))])
def test_a_thumbnail_is_never_larger_than_its_side(tmp_path, size, expected):
    _, thumbnail = media.write(picture(size), tmp_path, {}, PNG)

    with Image.open(thumbnail.path) as image:
        assert image.format == "WEBP"
        assert image.size == expected == (thumbnail.width, thumbnail.height)
        assert b"trainedAlgorithmicMedia" in image.info["xmp"]


def test_the_thumbnail_of_a_video_is_its_middle_frame(tmp_path):
    made = video(5)
    made.frames[:] = 0
    made.frames[2] = 255

    _, thumbnail = media.write(Output(0, made, 1), tmp_path, {}, asked("webm"))

    with Image.open(thumbnail.path) as image:
        assert image.getpixel((5, 5)) == (255, 255, 255)


def test_a_waveform_is_high_where_the_sound_is_loud(tmp_path):
    _, waveform = media.write(Output(0, sound(1.0, clicks=(0.5,)), 1), tmp_path, {}, asked("flac"))

    assert (waveform.name, waveform.role) == ("0.waveform.webp", "thumbnail")
    with Image.open(waveform.path) as image:
        assert image.size == (512, 128) == (waveform.width, waveform.height)
        heights = [sum(image.getpixel((x, y))[3] > 0 for y in range(128)) for x in (0, 200, 262, 400)]
    assert heights == [2, 2, 102, 2]


def test_text_is_utf_8_without_more(tmp_path):
    text = "der Fuchs 🦊 sagte: مرحبا\r\n"

    (file,) = media.write(Output(0, text, 3), tmp_path, PROVENANCE, parse_inputs("text", {"prompt": "x"}))

    assert file.path.read_bytes() == text.encode()
    assert (file.name, file.media_type, file.width) == ("0.txt", "text/plain", None)
    assert file.sha256 == file.sample_sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("language", "name"), [("Python", "0.py"), ("rust", "0.rs"), ("", "0.txt"), ("Klingon", "0.txt")]
)
def test_code_is_named_by_its_language(tmp_path, language, name):
    inputs = parse_inputs("code", {"prefix": "x", "language": language})
    (file,) = media.write(Output(0, "x = 1", 3, facts={"parses": True}), tmp_path, {}, inputs)
    assert (file.name, file.media_type, file.facts) == (name, "text/plain", {"parses": True})


def test_facts_are_told_of_the_output_only(tmp_path):
    made = Output(0, picture().value, 1, facts={"flagged": False, "score": 0.5})
    file, thumbnail = media.write(made, tmp_path, {}, PNG)
    assert (file.facts, thumbnail.facts) == ({"flagged": False, "score": 0.5}, {})


def test_a_format_that_does_not_fit_is_an_error_of_the_family(tmp_path):
    with pytest.raises(EngineError, match="cannot be written as mp4"):
        media.write(picture(), tmp_path, {}, asked("mp4"))


def broken(value: float, samples: int = 100) -> Sound:
    return Sound(np.full((samples, 2), value, np.float32), 16_000)


@pytest.mark.parametrize(
    ("made", "form", "problem"),
    [
        (broken(np.nan), "flac", "overflowed"),
        (broken(np.inf), "mp3", "overflowed"),
        (broken(0, samples=0), "ogg", "without samples"),
        (video(3, heard=broken(np.nan)), "mp4", "overflowed"),
        (video(0), "webm", "without frames"),
    ],
)
def test_what_cannot_be_seen_or_heard_is_an_error_of_the_model(tmp_path, made, form, problem):
    with pytest.raises(EngineError, match=problem):
        media.write(Output(0, made, 1), tmp_path, {}, asked(form))
    assert not list(tmp_path.iterdir())


class Stamp:
    """Marks that can be seen."""

    def on_picture(self, picture, provenance):
        return Image.new("RGB", picture.size, "blue")

    def on_file(self, path, media_type, provenance):
        path.write_bytes(path.read_bytes() + media_type.encode() + provenance["model"].encode())


def test_marks_come_after_the_samples_digest_and_before_the_files(tmp_path):
    made = picture()

    file, thumbnail = media.write(made, tmp_path, PROVENANCE, PNG, Stamp())

    assert file.sample_sha256 == hashlib.sha256(made.value.tobytes()).hexdigest()
    data = file.path.read_bytes()
    assert data.endswith(b"image/pnghouse/scenes")
    assert (file.bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    with Image.open(file.path) as image:
        assert image.getpixel((0, 0)) == (0, 0, 255)
    assert not thumbnail.path.read_bytes().endswith(b"house/scenes")


@pytest.mark.parametrize(("form", "media_type"), [("mp4", b"video/mp4"), ("flac", b"audio/flac")])
def test_videos_and_sounds_are_marked_as_files(tmp_path, form, media_type):
    made = video(2) if form == "mp4" else sound(0.1)
    file = media.write(Output(0, made, 1), tmp_path, PROVENANCE, asked(form), Stamp())[0]
    assert file.path.read_bytes().endswith(media_type + b"house/scenes")


def test_a_preview_is_small_or_none():
    plain = media.preview(Image.new("RGB", (1024, 512), "red"))

    with Image.open(io.BytesIO(plain)) as image:
        assert (image.format, image.size) == ("WEBP", (256, 128))
    assert len(plain) <= PREVIEW_BYTES
    noise = Image.frombytes("RGB", (256, 256), hashlib.shake_256(b"").digest(3 * 256 * 256))
    assert media.preview(noise) is None
