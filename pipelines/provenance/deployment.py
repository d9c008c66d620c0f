"""The marks that a deployment's settings ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.provenance.credential import Credential

if TYPE_CHECKING:
    from PIL.Image import Image

    from pipelines.provenance.manifest import Signer


@dataclass(frozen=True)
class DeploymentMarks:
    """A watermark with the deployment's number, and a manifest signed with its credential; None: without."""

    number: int | None
    credential: Credential | None

    def on_picture(self, picture: "Image", provenance: Mapping[str, Any]) -> "Image":
        if self.number is None:
            return picture
        from pipelines.provenance.watermark import embed

        return embed(picture, self.number)

    def on_file(self, path: Path, media_type: str, provenance: Mapping[str, Any]) -> None:
        if self._signer is not None:
            self._signer.sign(path, media_type, provenance)

    @cached_property
    def _signer(self) -> "Signer | None":
        if self.credential is None:
            return None
        from pipelines.provenance.manifest import Signer  # loads 20 MB: with the first file

        return Signer(self.credential)
