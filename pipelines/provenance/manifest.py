"""C2PA manifests: a signed statement inside a file that it was generated, by which model, and is unchanged.

Everything happens on this machine: no time stamp is fetched, and nothing is asked about a certificate.
"""

import importlib.metadata
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import c2pa

from pipelines.errors import EngineError, TransientEngineError
from pipelines.provenance.credential import Credential

SIGNED: Final = frozenset(
    {"image/png", "image/jpeg", "image/webp", "video/mp4", "audio/wav", "audio/flac", "audio/mpeg"}
)
"""Media types that can hold a manifest, of those that Atelier makes. WebM, Ogg, MIDI and text cannot."""

GENERATED: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""What the press council's vocabulary calls media that a trained model made."""

GENERATION: Final = "org.atelier.generation"
"""Label of our own assertion."""

TOLD: Final = ("kind", "model", "revision", "job")
"""What that assertion says. Not the prompt: people can take that out of the metadata, but not out of here."""

OFFLINE: Final = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}


class Signer:
    """Signs files with one credential."""

    def __init__(self, credential: Credential) -> None:
        self._context = c2pa.Context.from_dict(OFFLINE)
        self._signer = c2pa.Signer.from_info(
            c2pa.C2paSignerInfo(credential.algorithm, credential.certificates, credential.key, None)
        )

    def sign(self, path: Path, media_type: str, provenance: Mapping[str, Any]) -> None:
        """Put a manifest into the file, in its place; media types that can hold none are left alone."""
        if media_type not in SIGNED:
            return
        signed = path.with_name(path.name + ".signed")
        manifest = _manifest(path.name, media_type, provenance)
        try:
            with (
                c2pa.Builder(manifest, self._context) as builder,
                path.open("rb") as source,
                signed.open("w+b") as target,
            ):
                builder.sign(self._signer, media_type, source, target)
        except c2pa.C2paError.Io as error:  # the disk is full, for one
            raise TransientEngineError(f"The signed output could not be written: {error}") from error
        except c2pa.C2paError as error:
            raise EngineError(f"The output could not be signed: {error}") from error
        os.replace(signed, path)


def _manifest(title: str, media_type: str, provenance: Mapping[str, Any]) -> dict[str, Any]:
    version = importlib.metadata.version("atelier")
    created = {
        "action": "c2pa.created",
        "digitalSourceType": GENERATED,
        "softwareAgent": {"name": "Atelier", "version": version},
    }
    told = {name: str(provenance[name]) for name in TOLD if provenance.get(name)}
    return {
        "claim_generator_info": [{"name": "Atelier", "version": version}],
        "title": title,
        "format": media_type,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            {"label": GENERATION, "data": told},
        ],
    }
