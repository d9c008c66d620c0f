"""Outputs as files: metadata, digests, determinism."""

import hashlib
import io

import pytest
from PIL import Image

from pipelines import media
from pipelines.base import PREVIEW_BYTES, Output
from pipelines.errors import InvalidInputs
from pipelines.kinds import parse_inputs

PROVENANCE = {
    "prompt": 'a 🦊 <b>&amp;</b> %s مرحبا\n"x"',
    "negative_prompt": "",
    "model": "house/scenes",
    "revision": "1",
    "job": "job_" + "0" * 24,
    "steps": 25,
    "guidance": 4.0,
}

PICTURE = parse_inputs("text-to-image", {"prompt": "x"})
TEXT = parse_inputs("text", {"prompt": "x"})


def picture(seed=7, size=(64, 48)):
    pixels = hashlib.shake_256(str(seed).encode()).digest(3 * size[0] * size[1])
    return Output(2, Image.frombytes("RGB", size, pixels), seed, bucket=4, row=1)


def test_a_picture_says_how_it_was_made(tmp_path):
    png, thumbnail = media.write(picture(), tmp_path, PROVENANCE, PICTURE)

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
    assert (png.name, png.role, png.media_type, png.width, png.height) == (
        "2.png",
        "output",
        "image/png",
        64,
        48,
    )
    assert (thumbnail.name, thumbnail.role, thumbnail.media_type) == (
        "2.thumbnail.webp",
        "thumbnail",
        "image/webp",
    )


def test_digests_are_of_the_file_and_of_the_pixels(tmp_path):
    output = picture()

    png, thumbnail = media.write(output, tmp_path, PROVENANCE, PICTURE)

    for file in (png, thumbnail):
        assert file.bytes == file.path.stat().st_size
        assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()
    with Image.open(png.path) as image:
        assert png.sample_sha256 == hashlib.sha256(image.tobytes()).hexdigest()
    assert thumbnail.sample_sha256 == png.sample_sha256


def test_the_same_output_gives_the_same_bytes_and_other_metadata_the_same_sample(tmp_path):
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()

    first = media.write(picture(), folders[0], PROVENANCE, PICTURE)
    again = media.write(picture(), folders[1], PROVENANCE, PICTURE)
    other = media.write(picture(), folders[2], {**PROVENANCE, "job": "job_" + "1" * 24}, PICTURE)

    assert [file.sha256 for file in first] == [file.sha256 for file in again]
    assert first[0].sha256 != other[0].sha256
    assert first[0].sample_sha256 == other[0].sample_sha256


@pytest.mark.parametrize(("size", "expected"), [((64, 48), (64, 48)), ((1024, 512), (256, 128))])
def test_a_thumbnail_is_never_larger_than_its_side(tmp_path, size, expected):
    _, thumbnail = media.write(picture(size=size), tmp_path, {}, PICTURE)

    with Image.open(thumbnail.path) as image:
        assert image.format == "WEBP"
        assert image.size == expected == (thumbnail.width, thumbnail.height)
        assert b"trainedAlgorithmicMedia" in image.info["xmp"]


def test_text_is_utf_8_without_more(tmp_path):
    text = "der Fuchs 🦊 sagte: مرحبا\r\n"

    (file,) = media.write(Output(0, text, 3), tmp_path, PROVENANCE, TEXT)

    assert file.path.read_bytes() == text.encode()
    assert file.name == "0.txt"
    assert file.sha256 == file.sample_sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert file.width is None


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
def test_what_is_no_picture_is_refused(tmp_path, data):
    (tmp_path / "x").write_bytes(data)

    with pytest.raises(InvalidInputs) as caught:
        read(tmp_path / "x")
    assert [problem.pointer for problem in caught.value.problems] == ["/inputs/image"]


def test_a_preview_is_small_or_none():
    plain = media.preview(Image.new("RGB", (1024, 512), "red"))

    with Image.open(io.BytesIO(plain)) as image:
        assert (image.format, image.size) == ("WEBP", (256, 128))
    assert len(plain) <= PREVIEW_BYTES
    noise = Image.frombytes("RGB", (256, 256), hashlib.shake_256(b"").digest(3 * 256 * 256))
    assert media.preview(noise) is None
