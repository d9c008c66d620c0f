"""What a pipeline makes: in memory as sound and video, and on disk as files. Loads nothing heavy itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Facts = Mapping[str, str | int | float | bool]
"""What is known of an output beside its file, such as `finish_reason`, `tokens`, `language`, `tempo`."""


@dataclass(frozen=True, eq=False)
class Sound:
    """A piece of sound."""

    samples: "NDArray[np.float32]"
    """(samples, channels), −1 to 1; one or two channels. What lies outside is clipped when it is written."""
    rate: int
    """Samples a second."""
    score: bytes | None = None
    """The notes as a standard MIDI file, from a model that writes notes."""


@dataclass(frozen=True, eq=False)
class Video:
    """Pictures at a constant rate, with sound or without."""

    frames: "NDArray[np.uint8]"
    """(frames, height, width, 3), RGB."""
    fps: Fraction | int
    """Frames a second."""
    sound: Sound | None = None
    """Begins with the first frame."""


@dataclass(frozen=True)
class File:
    """A file that was written, as an artifact's record needs it. None: such files do not have that."""

    name: str
    path: Path
    role: str
    """`output`, or what was derived from one: `thumbnail`, `preview`, `frames`, `score`."""
    index: int
    """Which of the request's outputs it is or shows."""
    seed: int
    media_type: str
    bytes: int
    sha256: str
    """Digest of the file."""
    sample_sha256: str
    """Digest of what the model made: the RGB pixels row by row, frame after frame; the sound's samples as
    32-bit floats; the text's UTF-8. The same for the same sample whatever the format and the metadata; a
    thumbnail has that of its output."""
    bucket: int
    row: int
    width: int | None = None
    """Pixels; of pictures and videos."""
    height: int | None = None
    duration_seconds: float | None = None
    """Of sounds and videos."""
    frames: int | None = None
    """Of videos."""
    fps: float | None = None
    """Frames a second; of videos."""
    sample_rate: int | None = None
    """Samples a second; of sounds, and of videos that have one."""
    channels: int | None = None
    """Of the sound."""
    facts: Facts = field(default_factory=dict)
