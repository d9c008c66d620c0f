"""Outputs as files: metadata, digests, determinism."""

import hashlib

import pytest
from PIL import Image

from pipelines import media
from pipelines.base import Output

PROVENANCE = {
    "prompt": 'a 🦊 <b>&amp;</b> %s مرحبا\n"x"',
    "negative_prompt": "",
    "model": "house/scenes",
    "revision": "1",
    "job": "job_" + "0" * 24,
    "steps": 25,
    "guidance": 4.0,
}


def picture(seed=7, size=(64, 48)):
    pixels = hashlib.shake_256(str(seed).encode()).digest(3 * size[0] * size[1])
    return Output(2, "image/png", Image.frombytes("RGB", size, pixels), seed, bucket=4, row=1)


def test_a_picture_says_how_it_was_made(tmp_path):
    png, thumbnail = media.write(picture(), tmp_path, PROVENANCE)

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

    png, thumbnail = media.write(output, tmp_path, PROVENANCE)

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

    first = media.write(picture(), folders[0], PROVENANCE)
    again = media.write(picture(), folders[1], PROVENANCE)
    other = media.write(picture(), folders[2], {**PROVENANCE, "job": "job_" + "1" * 24})

    assert [file.sha256 for file in first] == [file.sha256 for file in again]
    assert first[0].sha256 != other[0].sha256
    assert first[0].sample_sha256 == other[0].sample_sha256


@pytest.mark.parametrize(("size", "expected"), [((64, 48), (64, 48)), ((1024, 512), (256, 128))])
def test_a_thumbnail_is_never_larger_than_its_side(tmp_path, size, expected):
    _, thumbnail = media.write(picture(size=size), tmp_path, {})

    with Image.open(thumbnail.path) as image:
        assert image.format == "WEBP"
        assert image.size == expected == (thumbnail.width, thumbnail.height)
        assert b"trainedAlgorithmicMedia" in image.info["xmp"]


def test_text_is_utf_8_without_more(tmp_path):
    text = "der Fuchs 🦊 sagte: مرحبا\r\n"

    (file,) = media.write(Output(0, "text/plain", text, 3), tmp_path, PROVENANCE)

    assert file.path.read_bytes() == text.encode()
    assert file.name == "0.txt"
    assert file.sha256 == file.sample_sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert file.width is None
