"""The confined child of `media_check`: decode one image, write it again as PNG, print one line of JSON.

Started by path with `python -I`, so it imports nothing of ours. Exit code 0 means that the line is the
answer: `{"width", "height"}`, or `{"detail"}` with what is wrong. Any other end means that a limit stopped
it.
"""

import ctypes
import io
import json
import resource
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Pillow is imported only after the limits are set
    from PIL import Image

MEMORY_BYTES = 1536 * 1024 * 1024
PROCESSOR_SECONDS = 20
WRITTEN_BYTES = 256 * 1024 * 1024
FORMATS = ("PNG", "JPEG", "WEBP")
PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def confine() -> None:
    """Limits that this process cannot lift again; it also ends when its parent ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (WRITTEN_BYTES, WRITTEN_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


class Unfit(Exception):
    """The image cannot be used; the message says why."""


def rewrite(source: Path, target: Path, max_pixels: int) -> tuple[int, int]:
    """Decode `source` completely and write `target`; the size in pixels, or Unfit."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = max_pixels
    warnings.simplefilter("error")  # Pillow only warns about a decompression bomb up to twice the limit
    try:
        opened = Image.open(source, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unfit(f"The image has more than {max_pixels:,} pixels.") from None
    with opened as image:
        if getattr(image, "n_frames", 1) > 1:
            raise Unfit("The image is animated; send a single frame.")
        image.load()
        upright = ImageOps.exif_transpose(image)
        plain = to_plain(upright)
    plain.info.clear()  # the encoder would write the profile and other metadata again
    plain.save(target, "PNG", compress_level=3)
    return plain.size


def to_plain(image: "Image.Image") -> "Image.Image":
    """The image as 8-bit L, RGB or RGBA in sRGB."""
    from PIL import Image

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


def to_srgb(image: "Image.Image", profile: bytes) -> "Image.Image":
    """Apply the embedded colour profile; a broken or unfitting profile is dropped, as browsers do."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError):
        return image


def main() -> None:
    """Print the answer for the file named by the arguments: SOURCE TARGET MAX_PIXELS."""
    source, target, max_pixels = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    confine()
    try:
        width, height = rewrite(source, target, max_pixels)
        answer: dict[str, object] = {"width": width, "height": height}
    except Unfit as error:
        answer = {"detail": str(error)}
    except MemoryError:
        answer = {"detail": "The image needs too much memory to be decoded."}
    except Exception as error:  # noqa: BLE001 - decoders raise anything on hostile input, and the class name is enough
        answer = {"detail": f"The image is damaged and cannot be decoded ({type(error).__name__})."}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
