"""Checks an untrusted file in a confined child process. Only what the child re-encoded is ever stored.

The parent looks at nothing but the first bytes. The child (`media_child.py`) decodes the whole file under
limits of memory, processor time and file size, and writes it again as PNG: metadata, colour profiles and
anything appended are gone, the EXIF rotation is applied. Honest limit: the child still runs as our user and
could read our files, so a decoder that is taken over is contained by limits, not by a sandbox.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MAX_PIXELS = 40_000_000  # about 160 MB as RGBA; the child's memory limit allows three such copies
SECONDS = 20.0  # a 40-megapixel PNG decodes and encodes in about 8 s on a slow core
SNIFFED_BYTES = 12

CHILD = Path(__file__).with_name("media_child.py")


class MediaError(Exception):
    """The file cannot be used."""


class UnsupportedMedia(MediaError):
    """The file is not a PNG, JPEG or WebP image."""


class BadMedia(MediaError):
    """The file is damaged, or too large to be decoded."""


@dataclass(frozen=True)
class CheckedImage:
    """A file that was decoded completely and written again."""

    path: Path
    media_type: str
    width: int
    height: int


def sniff(head: bytes) -> str:
    """Media type by the first bytes, whatever the name or header says; UnsupportedMedia if it is none of
    ours."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    raise UnsupportedMedia("Only PNG, JPEG and WebP images are accepted; these bytes are none of them.")


def check_image(source: Path, folder: Path, *, seconds: float = SECONDS) -> CheckedImage:
    """Decode `source` in a child and write it as `folder/checked.png`; UnsupportedMedia or BadMedia if it
    is unfit."""
    with source.open("rb") as file:
        sniff(file.read(SNIFFED_BYTES))
    target = folder / "checked.png"
    width, height = _ask_child(source, target, seconds)
    return CheckedImage(target, "image/png", width, height)


def _ask_child(source: Path, target: Path, seconds: float) -> tuple[int, int]:
    command = [sys.executable, "-I", str(CHILD), str(source), str(target), str(MAX_PIXELS)]
    environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}  # no secret of ours reaches the child
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BadMedia(f"The image could not be decoded within {seconds:g} seconds.") from None
    if done.returncode != 0:
        raise BadMedia("The image could not be decoded within the limits of memory and time.")
    answer = json.loads(done.stdout)
    if "detail" in answer:
        raise BadMedia(answer["detail"])
    return answer["width"], answer["height"]
