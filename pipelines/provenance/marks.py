"""What writes a mark into an output, as `media.write` sees it. Loads no Pillow, numpy or C2PA itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image


class Marks(Protocol):
    """Marks outputs (role `output`; nothing that is derived from one) while they are written."""

    def on_picture(self, picture: "Image", provenance: Mapping[str, Any]) -> "Image":
        """The RGB picture with its mark, before it is encoded; the digest of the sample is taken before."""

    def on_file(self, path: Path, media_type: str, provenance: Mapping[str, Any]) -> None:
        """Mark a whole file (picture, video, sound) in its place, before its digest and size are taken."""


class NoMarks:
    """Leaves everything as it is."""

    def on_picture(self, picture: "Image", provenance: Mapping[str, Any]) -> "Image":
        return picture

    def on_file(self, path: Path, media_type: str, provenance: Mapping[str, Any]) -> None:
        return None


NO_MARKS = NoMarks()
