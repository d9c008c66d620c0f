"""Pictures as PNG, WebP and JPEG, and the small ones that stand for something large."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import ExifTags, Image, PngImagePlugin

from pipelines.base import PREVIEW_BYTES
from pipelines.media.metadata import MARK, SOFTWARE, XMP, line

THUMBNAIL_SIDE = 256
"""Longest side of a thumbnail, in pixels; smaller pictures keep their size."""

JPEG_QUALITY = 92

UNICODE = b"UNICODE\0"
"""How EXIF says that a comment is UTF-16, in the byte order of the block."""


WEBP_SIDE = 16_383
"""Most pixels of a side, by the format."""

LONGEST_COMMENT = 60_000
"""Most bytes of an EXIF comment: a JPEG takes 65,533 of a block. The XMP and the manifest are there, too."""


def png(picture: Image.Image, history: Mapping[str, str], effort: int = 6) -> bytes:
    """PNG whose international text chunks say how it was made. `effort`: 0 to 9, for smaller files."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Software", SOFTWARE)
    info.add_itxt("Comment", MARK)
    info.add_itxt("XML:com.adobe.xmp", XMP)
    for name, value in history.items():
        info.add_itxt(name, value)
    return _encoded(picture, "PNG", pnginfo=info, compress_level=effort)


def webp(picture: Image.Image, history: Mapping[str, str]) -> bytes:
    """WebP that keeps every pixel."""
    return _encoded(
        picture, "WEBP", lossless=True, quality=75, method=4, exif=_exif(history), xmp=XMP.encode()
    )


def jpeg(picture: Image.Image, history: Mapping[str, str]) -> bytes:
    """JPEG with full colour resolution. Not optimised: Pillow's buffer for that is too small for noise."""
    return _encoded(
        picture,
        "JPEG",
        quality=JPEG_QUALITY,
        subsampling="4:4:4",
        exif=_exif(history),
        xmp=XMP.encode(),
    )


def thumbnail(picture: Image.Image) -> tuple[bytes, tuple[int, int]]:
    """A small WebP of an output, and its size."""
    small = picture.copy()
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    return _encoded(small, "WEBP", quality=80, method=4, xmp=XMP.encode()), small.size


def preview(picture: Image.Image) -> bytes | None:
    """A small WebP of an unfinished picture, or None when it cannot be made small enough to send."""
    small = picture.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    data = _encoded(small, "WEBP", quality=60, method=0)
    return data if len(data) <= PREVIEW_BYTES else None


def _encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    data = io.BytesIO()
    picture.save(data, form, **options)
    return data.getvalue()


def _exif(history: Mapping[str, str]) -> bytes:
    """An EXIF block: a plain description, and the history as a comment in Unicode where it has room."""
    exif = Image.Exif()
    exif.endian = "<"
    exif[ExifTags.Base.ImageDescription] = MARK
    exif[ExifTags.Base.Software] = SOFTWARE
    comment = UNICODE + line(history).encode("utf-16-le")
    if len(comment) > LONGEST_COMMENT:
        return exif.tobytes()
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.UserComment: comment}
    return exif.tobytes()


@dataclass(frozen=True)
class PictureFormat:
    """A file format of pictures."""

    suffix: str
    media_type: str
    encode: Callable[[Image.Image, Mapping[str, str]], bytes]


FORMATS = {
    "png": PictureFormat("png", "image/png", png),
    "webp": PictureFormat("webp", "image/webp", webp),
    "jpeg": PictureFormat("jpg", "image/jpeg", jpeg),
}
"""By the inputs' `format`."""
