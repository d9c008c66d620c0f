"""The media check: what is accepted is decoded and written again; what is hostile is refused in time."""

# ruff: noqa: E501 - tables of cases

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from infra.media_check import BadMedia, CheckedMedia, UnsupportedMedia, check_media
from infra.media_child.limits import IMAGE_PIXELS


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def red(mode: str = "RGB", size: tuple[int, int] = (16, 8)) -> Image.Image:
    image = Image.new("RGB", size, (200, 20, 30)).convert(mode)
    if mode == "RGBA":
        image.putpixel((0, 0), (0, 0, 0, 0))  # WebP drops an alpha channel that hides nothing
    return image


def check(data: bytes, folder: Path, **options: float) -> CheckedMedia:
    sent = folder / "sent"
    sent.write_bytes(data)
    return check_media(sent, folder, **options)


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with any header, however wrong."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_accepts_the_three_formats_and_writes_png(form: str, tmp_path: Path) -> None:
    checked = check(encoded(red(), form), tmp_path)
    assert (checked.media_type, checked.width, checked.height) == ("image/png", 16, 8)
    with Image.open(checked.path) as image:
        assert image.format == "PNG"
        red_channel, green, blue = image.convert("RGB").getpixel((3, 3))  # type: ignore[misc]
        assert red_channel > 180
        assert green < 60
        assert blue < 60


@pytest.mark.parametrize(("mode", "form", "becomes"), [
    ("L", "PNG", "L"), ("1", "PNG", "L"), ("P", "PNG", "RGB"), ("LA", "PNG", "RGBA"), ("RGBA", "PNG", "RGBA"),
    ("CMYK", "JPEG", "RGB"), ("L", "JPEG", "L"), ("RGBA", "WEBP", "RGBA"),
])  # fmt: skip
def test_every_mode_becomes_a_plain_one(mode: str, form: str, becomes: str, tmp_path: Path) -> None:
    with Image.open(check(encoded(red(mode), form), tmp_path).path) as image:
        assert image.mode == becomes


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    deep = Image.new("I;16", (4, 4), 40_000)
    with Image.open(check(encoded(deep, "PNG"), tmp_path).path) as image:
        assert image.mode == "L"
        assert image.getpixel((0, 0)) == pytest.approx(40_000 / 257, abs=1)


def test_turns_the_picture_as_exif_says_and_drops_metadata(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010E] = "a secret"
    checked = check(encoded(red(size=(20, 10)), "JPEG", exif=exif, comment=b"a secret"), tmp_path)
    assert (checked.width, checked.height) == (10, 20)
    assert b"a secret" not in checked.path.read_bytes()
    with Image.open(checked.path) as image:
        assert not image.getexif()


def test_drops_text_and_profile_of_a_png(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "a secret")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    checked = check(encoded(red(), "PNG", pnginfo=info, icc_profile=profile), tmp_path)
    with Image.open(checked.path) as image:
        assert image.info == {}


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_profile_is_applied(mode: str, tmp_path: Path) -> None:
    # Given a profile whose first channel is what sRGB calls blue
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"----").replace(b"bXYZ", b"rXYZ").replace(b"----", b"bXYZ")
    checked = check(encoded(red(mode), "PNG", icc_profile=swapped), tmp_path)
    # Then red is blue
    with Image.open(checked.path) as image:
        seen = image.convert("RGB").getpixel((8, 4))
    assert seen == pytest.approx((30, 20, 200), abs=25)  # a palette is coarse


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0II", b"Exif\0\0" + b"\xff" * 40]
)
def test_broken_exif_is_no_reason_to_refuse_a_picture(exif: bytes, tmp_path: Path) -> None:
    checked = check(encoded(red(), "JPEG", exif=exif), tmp_path)
    assert (checked.media_type, checked.width, checked.height) == ("image/png", 16, 8)


def test_a_jpeg_with_a_preview_beside_it_is_its_first_picture(tmp_path: Path) -> None:
    preview = Image.new("RGB", (8, 4), "blue")
    checked = check(encoded(red(), "MPO", save_all=True, append_images=[preview]), tmp_path)
    assert (checked.width, checked.height) == (16, 8)


def test_an_odd_profile_is_dropped(tmp_path: Path) -> None:
    checked = check(encoded(red(), "PNG", icc_profile=b"not a profile"), tmp_path)
    with Image.open(checked.path) as image:
        assert "icc_profile" not in image.info


def test_what_is_appended_is_dropped(tmp_path: Path) -> None:
    script = b"<script>alert(1)</script>PK\x03\x04"
    assert script not in check(encoded(red(), "PNG") + script, tmp_path).path.read_bytes()


@pytest.mark.parametrize("data", [
    b"", b"GIF89a" + b"\0" * 20, b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"%!PS-Adobe", b"8BPS\0\1",
    b"II*\0" + b"\0" * 20, b"#EXTM3U\nfile:///etc/passwd", b"BM" + b"\0" * 50,
    b"\x89PNG", b"hello",
])  # fmt: skip
def test_other_formats_are_refused_by_their_first_bytes(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMedia):
        check(data, tmp_path)


def cut_png() -> bytes:
    whole = encoded(Image.effect_noise((64, 64), 80), "PNG")
    return whole[: len(whole) // 2]


def corrupt_png() -> bytes:
    whole = bytearray(encoded(Image.effect_noise((64, 64), 80), "PNG"))
    whole[len(whole) // 2] ^= 0xFF
    return bytes(whole)


@pytest.mark.parametrize("data", [
    pytest.param(b"\x89PNG\r\n\x1a\n", id="nothing but a signature"),
    pytest.param(cut_png(), id="cut"),
    pytest.param(corrupt_png(), id="wrong checksum"),
    pytest.param(encoded(Image.effect_noise((64, 64), 80), "JPEG")[:900], id="cut JPEG"),
    pytest.param(b"\xff\xd8\xff\xe0" + b"\0" * 64, id="JPEG of zeros"),
    pytest.param(b"RIFF\x40\0\0\0WEBPVP8 " + b"\0" * 64, id="WebP of zeros"),
    pytest.param(png(0, 0, (b"IDAT", zlib.compress(b""))), id="no pixels"),
    pytest.param(png(10, 10, (b"IDAT", zlib.compress(b"\0" * 5))), id="too little data"),
    pytest.param(png(2**31 - 1, 2**31 - 1, (b"IDAT", zlib.compress(b"\0"))), id="absurd size"),
    pytest.param(png(60_000, 60_000, (b"IDAT", zlib.compress(b"\0" * 100))), id="too many pixels"),
])  # fmt: skip
def test_damaged_files_are_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadMedia):
        check(data, tmp_path)


def test_one_pixel_too_many_is_refused(tmp_path: Path) -> None:
    side = int(IMAGE_PIXELS**0.5) + 1
    with pytest.raises(BadMedia, match="pixels"):
        check(encoded(Image.new("1", (side, side)), "PNG"), tmp_path)


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_animations_are_refused(form: str, tmp_path: Path) -> None:
    frames = [red(), Image.new("RGB", (16, 8), "blue")]
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=100)
    with pytest.raises(BadMedia, match="animated"):
        check(data, tmp_path)


def test_a_text_chunk_that_inflates_is_refused(tmp_path: Path) -> None:
    bomb = b"Comment\0\0" + zlib.compress(b"\0" * 100_000_000)
    with pytest.raises(BadMedia):
        check(png(4, 4, (b"zTXt", bomb), (b"IDAT", zlib.compress(b"\0" * 13 * 4))), tmp_path)


def test_a_check_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(BadMedia, match="seconds"):
        check(encoded(red(), "PNG"), tmp_path, seconds=0.001)
