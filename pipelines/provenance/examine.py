"""What a file says of its origin: its manifest, its metadata, its watermark."""

import hashlib
import json
import struct
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import c2pa
from PIL import Image

from pipelines.media import read_history
from pipelines.provenance.detection import find
from pipelines.provenance.manifest import GENERATED, GENERATION, OFFLINE

STATES = {"Trusted": "trusted", "Valid": "valid", "Invalid": "broken"}
"""C2PA's words, and ours: signed by somebody who is known here, signed by somebody, changed since."""

EXPECTED = frozenset({"signingCredential.untrusted"})
"""What is not worth telling as a fault: the state says it."""


PICTURES = ("PNG", "JPEG", "WEBP", "GIF")
"""Formats in which a watermark is looked for; Pillow knows others that start programs."""

DAMAGED = (OSError, ValueError, SyntaxError, TypeError, struct.error, Image.DecompressionBombError)
"""What Pillow raises for a picture that is cut short, changed, or no picture: it then has nothing to say."""


@dataclass(frozen=True)
class Findings:
    """What was found; None for what the file does not have."""

    sha256: str
    manifest: dict[str, Any] | None
    """`state`: `trusted`, `valid`, `broken`, or `unreadable`; `signer`, `generator`, `generated` (whether it
    says that a model made it), `told` (kind, model, revision, job), `faults`."""
    metadata: dict[str, str] | None
    """As it was written into the file. Nobody vouches for it."""
    watermark: dict[str, Any] | None
    """`number`, `scale`, `score`."""


def examine(path: Path, anchors: bytes) -> Findings:
    """Look at a file; `anchors`: PEM certificates whose signatures count as trusted, or nothing."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Findings(digest, _manifest(path, anchors), _metadata(path), _watermark(path))


def as_json(findings: Findings) -> str:
    return json.dumps(asdict(findings), ensure_ascii=False)


def _manifest(path: Path, anchors: bytes) -> dict[str, Any] | None:
    settings: dict[str, Any] = (
        {**OFFLINE, "trust": {"user_anchors": anchors.decode()}} if anchors else OFFLINE
    )
    with path.open("rb") as file:
        try:
            reader = c2pa.Reader.try_create(None, file, None, c2pa.Context.from_dict(settings))
        except c2pa.C2paError.NotSupported:
            return None
        except c2pa.C2paError as error:
            return {"state": "unreadable", "faults": [str(error)]}
        if reader is None:
            return None
        with reader:
            return _summary(json.loads(reader.json()))


def _summary(store: dict[str, Any]) -> dict[str, Any]:
    active = store["manifests"][store["active_manifest"]]
    assertions = {each["label"]: each["data"] for each in active.get("assertions", ())}
    actions = assertions.get("c2pa.actions.v2", assertions.get("c2pa.actions", {})).get("actions", ())
    signature = active.get("signature_info", {})
    generators = active.get("claim_generator_info", ())
    return {
        "state": STATES.get(store.get("validation_state", ""), "unreadable"),
        "signer": signature.get("common_name") or signature.get("issuer"),
        "generator": " ".join(_words(each) for each in generators) or None,
        "generated": any(action.get("digitalSourceType") == GENERATED for action in actions),
        "told": assertions.get(GENERATION, {}),
        "faults": [
            each["code"] for each in store.get("validation_status", ()) if each["code"] not in EXPECTED
        ],
    }


def _words(generator: dict[str, Any]) -> str:
    return " ".join(str(generator[name]) for name in ("name", "version") if generator.get(name))


def _metadata(path: Path) -> dict[str, str] | None:
    try:
        return read_history(path)
    except DAMAGED:
        return None


def _watermark(path: Path) -> dict[str, Any] | None:
    try:
        with Image.open(path, formats=PICTURES) as picture:
            mark = find(picture.convert("RGB"))
    except DAMAGED:
        return None
    return asdict(mark) if mark else None
