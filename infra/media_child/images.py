"""Images: any of three formats in, PNG out. Metadata and profile are applied, then gone."""

import io
import warnings
from typing import BinaryIO

from PIL import (  # Pillow imports the plugins when it needs them, and a confined process can import nothing
    Image,
    ImageCms,
    ImageOps,
    JpegImagePlugin,  # noqa: F401
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
)

from infra.media_child.answer import Unfit, Written
from infra.media_child.limits import IMAGE_PIXELS

FORMATS = ("PNG", "JPEG", "WEBP")
COMPRESSION = 3  # of the PNG: half the time of the default, a few percent larger


def rewrite(source: BinaryIO, target: BinaryIO, sniffed: str) -> Written:
    """Decode `source` completely and write `target` as PNG; Unfit if it is none of ours."""
    Image.preinit()
    Image.MAX_IMAGE_PIXELS = IMAGE_PIXELS
    warnings.simplefilter("error")  # Pillow only warns about a decompression bomb up to twice the limit
    try:
        opened = Image.open(source, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unfit(f"The image has more than {IMAGE_PIXELS:,} pixels.") from None
    with opened as image:
        if getattr(image, "n_frames", 1) > 1:
            raise Unfit("The image is animated; send a single frame.")
        image.load()
        upright = ImageOps.exif_transpose(image)
        plain = to_plain(upright)
    plain.info.clear()  # the encoder would write the profile and other metadata again
    plain.save(target, "PNG", compress_level=COMPRESSION)
    return Written("image/png", *plain.size)


def to_plain(image: Image.Image) -> Image.Image:
    """The image as 8-bit L, RGB or RGBA in sRGB."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I"):
        image = image.convert("I").point(lambda value: value / 257).convert("L")
    profile = image.info.get("icc_profile")
    transparent = "transparency" in image.info or image.mode in ("LA", "PA", "RGBA", "La", "RGBa")
    if profile and image.mode in ("RGB", "CMYK"):
        image = to_srgb(image, profile)
    if transparent:
        return image.convert("RGBA")
    return (
        image
        if image.mode == "L"
        else image.convert("L" if image.mode == "1" else "RGB", dither=Image.Dither.NONE)
    )


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Apply the embedded colour profile; a broken or unfitting profile is dropped, as browsers do."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError):
        return image
