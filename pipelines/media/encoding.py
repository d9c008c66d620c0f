"""What the muxers of videos and sounds share: containers with the same bytes each time, and encoded sound."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from numpy.typing import NDArray

from pipelines.outputs import Sound

CHUNK = 8192
"""Samples that are given to an encoder at once."""

ENCODER_THREADS = 4
"""On every machine, whatever its cores: what x264 writes depends on their number, but not on their timing."""


@dataclass(frozen=True)
class SoundCodec:
    """An encoder of sound."""

    name: str
    takes: str
    """The format of samples that it takes, as FFmpeg calls it."""
    rates: tuple[int, ...] = ()
    """Samples a second that it can write; empty: any. Another rate becomes the last one here."""
    bit_rate: int | None = None
    """Bits a second and channel; None where it loses nothing."""

    def rate(self, wanted: int) -> int:
        """The rate at which a sound of `wanted` samples a second is written."""
        return wanted if not self.rates or wanted in self.rates else self.rates[-1]


MPEG_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""What MP3 and AAC have in common."""

AAC = SoundCodec("aac", "fltp", MPEG_RATES, 96_000)
OPUS = SoundCodec("libopus", "flt", (48_000,), 80_000)


@contextmanager
def container(path: Path, form: str, tags: Mapping[str, str], **options: str) -> Iterator[OutputContainer]:
    """A new file that says how it was made, and nothing of when or on which machine."""
    with av.open(path, "w", format=form, options={"fflags": "+bitexact", **options}) as opened:
        opened.metadata.update(tags)
        yield opened


class SoundTrack:
    """The sound of a file, encoded piece by piece, so that it stands beside the pictures of its time."""

    def __init__(self, file: OutputContainer, codec: SoundCodec, sound: Sound) -> None:
        self.rate = codec.rate(sound.rate)
        self._file = file
        self._sound = sound
        self._format = codec.takes
        self._layout = "mono" if sound.samples.shape[1] == 1 else "stereo"
        stream = file.add_stream(codec.name, rate=self.rate, layout=self._layout)
        self._stream = cast(AudioStream, stream)
        self._stream.codec_context.format = codec.takes
        if codec.bit_rate:
            self._stream.codec_context.bit_rate = codec.bit_rate * sound.samples.shape[1]
        self._done = 0

    def encode_until(self, seconds: Fraction) -> None:
        """Encode what is heard up to this time."""
        end = min(int(seconds * self._sound.rate), len(self._sound.samples))
        while self._done < end:
            piece = self._sound.samples[self._done : min(end, self._done + CHUNK)]
            self._file.mux(self._stream.encode(self._frame(piece)))
            self._done += len(piece)

    def finish(self) -> None:
        """Encode the rest, and what the encoder has kept."""
        self.encode_until(Fraction(len(self._sound.samples), self._sound.rate))
        self._file.mux(self._stream.encode(None))

    def _frame(self, piece: NDArray[np.float32]) -> AudioFrame:
        frame = AudioFrame.from_ndarray(_planes(piece, self._format), self._format, self._layout)
        frame.sample_rate = self._sound.rate
        frame.pts, frame.time_base = self._done, Fraction(1, self._sound.rate)
        return frame


def _planes(piece: NDArray[np.float32], form: str) -> NDArray[Any]:
    """(samples, channels) as PyAV wants a sample format: clipped, one row a channel or one row for all."""
    clipped = np.clip(piece, -1.0, 1.0)
    if form == "fltp":
        return np.ascontiguousarray(clipped.T)
    row = clipped.reshape(1, -1)
    if form == "flt":
        return row
    return (np.round(row * (2**23 - 1)).astype(np.int32)) << 8  # 24 bits, at the top of 32
