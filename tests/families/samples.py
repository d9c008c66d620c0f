"""Files that stand where a case says `Given`."""

import io
import math
import struct
from pathlib import Path

from PIL import Image, ImageDraw

from tests.families.cases import Given
from tests.media_samples import sound, video

SIDE = 64  # pixels


def _png(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


def image() -> bytes:
    """A bright disc on a gradient."""
    picture = Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB")
    ImageDraw.Draw(picture).ellipse((16, 16, 48, 48), fill=(230, 60, 40))
    return _png(picture)


def large() -> bytes:
    """A picture of many tiles: a gradient."""
    return _png(Image.linear_gradient("L").resize((8 * SIDE, 8 * SIDE)).convert("RGB"))


def mask() -> bytes:
    """White on the right half: that is made anew."""
    picture = Image.new("L", (SIDE, SIDE))
    picture.paste(255, (SIDE // 2, 0, SIDE, SIDE))
    return _png(picture)


def midi() -> bytes:
    """Four quarter notes of a piano, 120 beats a minute, as a standard MIDI file of one track."""
    notes = b"".join(
        b"\x00\x90" + bytes([pitch, 80]) + b"\x60\x80" + bytes([pitch, 0]) for pitch in (60, 62, 64, 65)
    )
    track = b"\x00\xff\x51\x03\x07\xa1\x20" + notes + b"\x00\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 96) + b"MTrk" + struct.pack(">I", len(track)) + track


def data(given: Given) -> bytes:
    """The bytes of a sample."""
    match given.media:
        case "image":
            return image()
        case "large":
            return large()
        case "mask":
            return mask()
        case "video":
            return video("libvpx-vp9", "webm", frames=12, size=(SIDE, SIDE))
        case "sound":
            return sound("flac", "flac", seconds=math.pi / 3)
        case "midi":
            return midi()


SUFFIXES = {"image": "png", "large": "png", "mask": "png", "video": "webm", "sound": "flac", "midi": "mid"}


def write(given: Given, folder: Path) -> Path:
    """A sample as a file, written once."""
    path = folder / f"{given.media}.{SUFFIXES[given.media]}"
    if not path.exists():
        path.write_bytes(data(given))
    return path
