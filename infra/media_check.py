"""Checks an untrusted file in a confined child process. Only what the child wrote anew is ever stored.

The parent looks at nothing but the first bytes. The child (`infra.media_child`) loads its decoders, opens
the two files, gives up every other right (`infra.confine`), decodes the whole file under limits, and writes
it again: images as PNG, sound as FLAC, scores as MIDI, video as WebM. Metadata, colour profiles, covers and
anything appended are gone; the rotation that EXIF or the container asks for is applied. What the child
answers is believed no further than its types, because a decoder may have been taken over.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.errors import InfraError
from infra.media_child.limits import BUDGETS

SNIFFED_BYTES = 12
LONGEST_ANSWER = 4096  # bytes
ROOT = Path(__file__).parents[1]
Confinement = Literal["required", "best_effort"]


class MediaError(Exception):
    """The file cannot be used."""


class UnsupportedMedia(MediaError):
    """The file is in none of the formats that are accepted."""


class BadMedia(MediaError):
    """The file is damaged, or larger or longer than may be decoded."""


class Unconfined(InfraError):
    """This machine cannot confine the check of uploads: that takes Linux with seccomp, on x86-64 or arm64.
    `ATELIER_MEDIA_CONFINEMENT=best_effort` checks without."""  # 503


class _Answer(BaseModel):
    """What the child may say."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    unconfined: bool = False
    detail: str = Field("", max_length=300)
    media_type: Literal["", "image/png", "audio/flac", "audio/midi", "video/webm"] = ""
    width: int | None = Field(None, ge=1, le=100_000)
    height: int | None = Field(None, ge=1, le=100_000)
    duration_seconds: float | None = Field(None, ge=0, le=100_000, allow_inf_nan=False)
    frames: int | None = Field(None, ge=1, le=1_000_000)


def _is_mp3(head: bytes) -> bool:
    """An ID3 tag, or at once a frame of MPEG audio layer III."""
    return head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2)


FORMATS: Mapping[str, Callable[[bytes], bool]] = {
    "image/png": lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"),
    "image/jpeg": lambda head: head.startswith(b"\xff\xd8\xff"),
    "image/webp": lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP",
    "audio/wav": lambda head: head[:4] == b"RIFF" and head[8:12] == b"WAVE",
    "audio/flac": lambda head: head.startswith(b"fLaC"),
    "audio/ogg": lambda head: head.startswith(b"OggS"),
    "audio/mpeg": _is_mp3,
    "audio/midi": lambda head: head.startswith(b"MThd"),
    "video/mp4": lambda head: head[4:8] == b"ftyp",  # MOV and M4A too
    "video/webm": lambda head: head.startswith(b"\x1aE\xdf\xa3"),  # Matroska too
}
"""What is accepted, and how its first bytes look."""


@dataclass(frozen=True)
class CheckedMedia:
    """A file that was decoded completely and written again. None: such media do not have that."""

    path: Path
    media_type: str
    width: int | None
    height: int | None
    duration_seconds: float | None
    frames: int | None


def sniff(head: bytes) -> str:
    """Media type by the first bytes, whatever the name or header says; UnsupportedMedia if it is none of
    ours."""
    for media_type, begins in FORMATS.items():
        if begins(head):
            return media_type
    raise UnsupportedMedia(
        "Accepted are images (PNG, JPEG, WebP), sound (WAV, FLAC, OGG, MP3, M4A), scores (MIDI) and video"
        " (MP4, MOV, WebM, Matroska); these bytes begin none of them."
    )


def check_media(
    source: Path, folder: Path, *, confinement: Confinement = "required", seconds: float | None = None
) -> CheckedMedia:
    """Decode `source` in a child and write it as `folder/checked`; UnsupportedMedia or BadMedia if it is
    unfit, Unconfined if this machine cannot look at it safely."""
    with source.open("rb") as file:
        sniffed = sniff(file.read(SNIFFED_BYTES))
    target = folder / "checked"
    seconds = seconds or BUDGETS[sniffed.partition("/")[0]].seconds
    answer = _ask_child([sniffed, str(source), str(target), confinement], folder / "answer", seconds)
    if answer.unconfined:
        raise Unconfined
    if answer.detail:
        raise BadMedia(answer.detail)
    if not answer.media_type:
        raise BadMedia("The file could not be decoded.")
    return CheckedMedia(
        target, answer.media_type, answer.width, answer.height, answer.duration_seconds, answer.frames
    )


def _ask_child(words: list[str], said: Path, seconds: float) -> _Answer:
    command = [sys.executable, "-P", "-s", "-m", "infra.media_child", *words]
    environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}  # no secret of ours
    try:
        with said.open("wb") as out:  # a file, because its length has a limit too
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise BadMedia(f"The file could not be decoded within {seconds:g} seconds.") from None
    if done.returncode != 0:
        raise BadMedia("The file could not be decoded within the limits of memory and time.")
    with said.open("rb") as file:
        line = file.read(LONGEST_ANSWER)
    try:
        return _Answer.model_validate_json(line)
    except ValidationError:
        raise BadMedia("The file could not be decoded.") from None
