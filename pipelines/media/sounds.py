"""Sounds as FLAC, WAV, OGG and MP3, and the picture that stands for one."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.media import metadata
from pipelines.media.encoding import MPEG_RATES, OPUS, SoundCodec, SoundTrack, container
from pipelines.outputs import Sound

WAVEFORM_SIZE = (512, 128)
"""Pixels."""

WAVEFORM_COLOUR = (86, 108, 214)
"""On nothing, so that it can be shown on light and on dark."""


@dataclass(frozen=True)
class SoundFormat:
    """A file format of sounds."""

    suffix: str
    media_type: str
    container: str
    """As FFmpeg calls it."""
    codec: SoundCodec
    any_tag: bool = True
    """Whether it has room for tags of any name."""


FORMATS = {
    "flac": SoundFormat("flac", "audio/flac", "flac", SoundCodec("flac", "s32")),
    "wav": SoundFormat("wav", "audio/wav", "wav", SoundCodec("pcm_s24le", "s32"), any_tag=False),
    "ogg": SoundFormat("ogg", "audio/ogg", "ogg", OPUS),
    "mp3": SoundFormat("mp3", "audio/mpeg", "mp3", SoundCodec("libmp3lame", "fltp", MPEG_RATES, 112_000)),
}
"""By the inputs' `format`."""


def write_sound(sound: Sound, path: Path, form: SoundFormat, history: Mapping[str, str]) -> int:
    """Write a sound; the samples a second that the file has."""
    tags = metadata.tags(history) if form.any_tag else {"comment": metadata.line(history)}
    with container(path, form.container, tags) as file:
        track = SoundTrack(file, form.codec, sound)
        track.finish()
    return track.rate


def waveform(sound: Sound) -> bytes:
    """A WebP of how loud the sound is from its beginning to its end."""
    width, height = WAVEFORM_SIZE
    loudest = np.abs(sound.samples).max(axis=1, initial=0.0)
    edges = np.linspace(0, len(loudest), width + 1).astype(int)
    columns = np.array(
        [loudest[start : max(end, start + 1)].max(initial=0.0) for start, end in pairwise(edges)]
    )
    reach = np.maximum(np.minimum(columns, 1.0) * height / 2, 0.5)
    rows = np.abs(np.arange(height) + 0.5 - height / 2)
    alpha = Image.fromarray((rows[:, None] <= reach[None, :]).astype(np.uint8) * 255)
    picture = Image.new("RGBA", WAVEFORM_SIZE, (*WAVEFORM_COLOUR, 0))
    picture.putalpha(alpha)
    data = io.BytesIO()
    picture.save(data, "WEBP", lossless=True, method=4, xmp=metadata.XMP.encode())
    return data.getvalue()
