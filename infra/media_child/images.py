"""Images: any of three formats in, PNG out. Metadata and profile are applied, then gone."""

import io
import struct
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
SEVERAL = "MPO"  # a JPEG with more beside its picture, which is the first: a preview, a map of depths
COMPRESSION = 3  # of the PNG: half the time of the default, a few percent larger


def rewrite(source: BinaryIO, target: BinaryIO, sniffed: str) -> Written:
    """Decode `source` completely and write `target` as PNG; Unfit if it is none of ours."""
    Image.preinit()
    Image.MAX_IMAGE_PIXELS = IMAGE_PIXELS
    warnings.simplefilter("ignore")  # about metadata that is broken or unknown, and goes anyway
    # Pillow only warns about a decompression bomb up to twice the limit
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        opened = Image.open(source, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unfit(f"The image has more than {IMAGE_PIXELS:,} pixels.") from None
    with opened as image:
        if image.format != SEVERAL and getattr(image, "n_frames", 1) > 1:
            raise Unfit("The image is animated; send a single frame.")
        image.load()
        plain = to_plain(_upright(image))
    plain.info.clear()  # the encoder would write the profile and other metadata again
    plain.save(target, "PNG", compress_level=COMPRESSION)
    return Written("image/png", *plain.size)


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says, where that can be read."""
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, TypeError, LookupError, struct.error):
        return image


def to_plain(image: Image.Image) -> Image.Image:
    """The image as 8-bit L, RGB or RGBA in sRGB."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I"):
        clear = image.info.get("transparency")  # the grey that stands for it
        image = image.convert("I").point(lambda value: value / 257).convert("L")
        if isinstance(clear, int):
            image.info["transparency"] = clear // 257
    profile = image.info.get("icc_profile")
    if "transparency" in image.info or image.mode in ("LA", "PA", "RGBA", "La", "RGBa"):
        image = image.convert("RGBA")
    elif image.mode == "1":
        image = image.convert("L", dither=Image.Dither.NONE)
    elif image.mode == "P":
        image = image.convert("RGB")
    if profile and image.mode in ("L", "RGB", "RGBA", "CMYK"):
        image = to_srgb(image, profile)
    return image if image.mode in ("L", "RGBA") else image.convert("RGB")


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Apply the embedded colour profile; a broken or unfitting profile is dropped, as browsers do."""
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError):
        return image
