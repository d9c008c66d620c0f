"""From an output to its files."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from pipelines.base import Output
from pipelines.media import pictures, texts
from pipelines.media.metadata import history
from pipelines.outputs import File
from pipelines.provenance import NO_MARKS, Marks

PICTURES = {"png": ("png", "image/png"), "webp": ("webp", "image/webp"), "jpeg": ("jpg", "image/jpeg")}


def write(
    output: Output, folder: Path, provenance: Mapping[str, Any], inputs: Any, marks: Marks = NO_MARKS
) -> list[File]:
    """Write `output` into `folder`, in the `format` that `inputs` name, and what is derived from it.

    `provenance` (prompt, model, revision, job, …) is put into the files' metadata, the seed added; `marks`
    marks what has role `output`.
    """
    value = output.value
    if isinstance(value, str):
        return [_text(output, value, folder, getattr(inputs, "language", ""))]
    return _picture(output, value.convert("RGB"), folder, provenance, inputs.format, marks)


def _text(output: Output, text: str, folder: Path, language: str) -> File:
    data = text.encode()
    path = folder / f"{output.index}.{texts.suffix(language)}"
    path.write_bytes(data)
    return _file(output, path, "text/plain", sample=hashlib.sha256(data).hexdigest())


def _picture(
    output: Output,
    picture: Image.Image,
    folder: Path,
    provenance: Mapping[str, Any],
    form: str,
    marks: Marks,
) -> list[File]:
    sample = hashlib.sha256(picture.tobytes()).hexdigest()
    suffix, media_type = PICTURES[form]
    path = folder / f"{output.index}.{suffix}"
    marked = marks.on_picture(picture, provenance)
    path.write_bytes(pictures.ENCODERS[form](marked, history(output, provenance)))
    marks.on_file(path, media_type, provenance)
    width, height = picture.size
    whole = _file(output, path, media_type, sample=sample, width=width, height=height)
    return [whole, _thumbnail(output, picture, folder / f"{output.index}.thumbnail.webp", sample)]


def _thumbnail(output: Output, picture: Image.Image, path: Path, sample: str) -> File:
    data, (width, height) = pictures.thumbnail(picture)
    path.write_bytes(data)
    derived = replace(output, role="thumbnail", facts={})
    return _file(derived, path, "image/webp", sample=sample, width=width, height=height)


def _file(output: Output, path: Path, media_type: str, *, sample: str, **facts: Any) -> File:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return File(
        name=path.name,
        path=path,
        role=output.role,
        index=output.index,
        seed=output.seed,
        media_type=media_type,
        bytes=path.stat().st_size,
        sha256=digest,
        sample_sha256=sample,
        bucket=output.bucket,
        row=output.row,
        facts=dict(output.facts),
        **facts,
    )
