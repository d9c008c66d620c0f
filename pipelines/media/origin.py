"""What a file of ours says of its origin, read back from it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
from PIL import ExifTags, Image, UnidentifiedImageError

from pipelines.media import scores
from pipelines.media.metadata import MARK, SOFTWARE
from pipelines.media.pictures import UNICODE

PICTURES = ("PNG", "WEBP", "JPEG", "GIF")

BESIDE = {
    *("comment", "software", "xml:com.adobe.xmp"),
    *("encoder", "duration", "major_brand", "minor_version", "compatible_brands"),  # FFmpeg, of the container
}
"""Tags that are no part of the history, in lower case."""


def read_history(path: Path) -> dict[str, str] | None:
    """How the file was made, as `metadata.history` gave it, with names in lower case; None where it does not
    say that Atelier made it.
    """
    with path.open("rb") as file:
        head = file.read(4)
    if head == b"MThd":
        return _from_line(scores.first_text(path.read_bytes()))
    try:
        with Image.open(path, formats=PICTURES) as picture:
            return _of_picture(picture)
    except UnidentifiedImageError:
        return _of_container(path)


def _of_picture(picture: Image.Image) -> dict[str, str] | None:
    if picture.format == "PNG":
        picture.load()  # text may follow the pixels
        return _from_tags(getattr(picture, "text", {}))
    if picture.format == "GIF":
        comment = picture.info.get("comment", b"")
        return _from_line(comment.decode(errors="replace"))
    comment = picture.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment, b"")
    if not isinstance(comment, bytes):  # another program's, which has given it another type
        return None
    return _from_line(comment.removeprefix(UNICODE).decode("utf-16-le", errors="replace"))


def _of_container(path: Path) -> dict[str, str] | None:
    try:
        with av.open(path, "r", metadata_errors="replace") as container:
            is_ogg = container.format.name == "ogg"  # which has its tags in the stream
            tags = dict((container.streams[0] if is_ogg else container).metadata)
    except av.FFmpegError:
        return None
    return _from_tags(tags) or _from_line(tags.get("comment", ""))


def _from_tags(tags: Mapping[str, Any]) -> dict[str, str] | None:
    named = {name.lower(): str(value) for name, value in tags.items()}
    if named.get("software") != SOFTWARE or named.get("comment") != MARK:
        return None
    return {name: value for name, value in named.items() if name not in BESIDE}


def _from_line(line: str) -> dict[str, str] | None:
    if not line.startswith(MARK):
        return None
    try:
        values = json.loads(line.removeprefix(MARK))
    except ValueError:
        return None
    return {str(name): str(value) for name, value in values.items()} if isinstance(values, dict) else None
