"""Sound: several formats in, 16-bit FLAC with one or two channels out."""

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO, Literal

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from infra.media_child.answer import Unfit, Written
from infra.media_child.limits import SOUND_CHANNELS, SOUND_RATES, SOUND_SECONDS

HIGHEST_RATE = 48_000  # Hz, of what is stored
GAP_SECONDS = 0.05  # of what is missing, that is filled with silence; the times of many files are less exact
SILENT_SAMPLES = 1024
FLOATS: dict[str, Literal["f", "d"]] = {"flt": "f", "fltp": "f", "dbl": "d", "dblp": "d"}


def rewrite_sound(source: InputContainer, stream: AudioStream, target: BinaryIO) -> Written:
    """Decode the stream completely and write it as FLAC."""
    guard = SoundGuard(stream)
    with av.open(target, "w", format="flac", options={"fflags": "+bitexact"}) as output:
        written = output.add_stream("flac", rate=min(guard.rate, HIGHEST_RATE), layout=guard.stored_layout)
        written.codec_context.format = "s16"
        for frame in source.decode(stream):
            output.mux(written.encode(guard.checked(frame)))
        output.mux(written.encode(None))
    if guard.samples == 0:
        raise Unfit("The file holds no sound.")
    return Written("audio/flac", duration_seconds=round(guard.seconds, 3))


class SoundGuard:
    """Counts the frames of a stream, and lets pass those that are as the stream said, and not too many."""

    def __init__(self, stream: AudioStream) -> None:
        self.rate = stream.codec_context.sample_rate
        self.samples = 0
        self._waiting = 0
        self._channels = stream.codec_context.channels
        lowest, highest = SOUND_RATES
        if not lowest <= self.rate <= highest:
            raise Unfit(f"The sound has {self.rate:,} samples a second, not {lowest:,} to {highest:,}.")
        if not 1 <= self._channels <= SOUND_CHANNELS:
            raise Unfit(f"The sound has {self._channels} channels, not 1 to {SOUND_CHANNELS}.")

    @property
    def seconds(self) -> float:
        """Length of what has passed."""
        return self.samples / self.rate

    @property
    def stored_layout(self) -> str:
        """One channel stays one; more are mixed down to two."""
        return "mono" if self._channels == 1 else "stereo"

    def admit(self, frame: AudioFrame) -> None:
        """Unfit if more has come than may pass, though none of it has been placed yet."""
        self._waiting += frame.samples
        self._check_length(self._waiting)

    def placed(self, frame: AudioFrame, start: float) -> Iterator[AudioFrame]:
        """The frame beside pictures that begin at `start`, in seconds: nothing for what comes
        before them, and silence first where something is missing. Numbered as by `checked`."""
        late = 0.0 if frame.time is None else frame.time - start - self.seconds
        if not self.samples and late < -frame.samples / self.rate / 2:
            return
        if late > SOUND_SECONDS:
            raise Unfit(f"The sound has a gap of more than {SOUND_SECONDS:g} seconds.")
        missing = round(late * self.rate) if late > GAP_SECONDS else 0
        while missing > 0:
            count = min(missing, SILENT_SAMPLES)
            yield self.checked(_silence(frame, count))
            missing -= count
        yield self.checked(frame)

    def checked(self, frame: AudioFrame) -> AudioFrame:
        """The frame, numbered by the samples before it; Unfit if it may not pass."""
        if frame.sample_rate != self.rate or len(frame.layout.channels) != self._channels:
            raise Unfit("The sound changes its sample rate or its channels on the way.")
        frame.pts, frame.time_base = self.samples, Fraction(1, self.rate)
        self.samples += frame.samples
        self._check_length(self.samples)
        if frame.format.name in FLOATS:
            _check_finite(frame, FLOATS[frame.format.name])
        return frame

    def _check_length(self, samples: int) -> None:
        if samples > SOUND_SECONDS * self.rate:
            raise Unfit(f"The sound is longer than {SOUND_SECONDS:g} seconds.")


def _silence(like: AudioFrame, samples: int) -> AudioFrame:
    frame = AudioFrame(format=like.format.name, layout=like.layout.name, samples=samples)
    frame.sample_rate = like.sample_rate
    middle = b"\x80" if like.format.name.startswith("u8") else b"\0"
    for plane in frame.planes:
        plane.update(middle * plane.buffer_size)
    return frame


def _check_finite(frame: AudioFrame, kind: Literal["f", "d"]) -> None:
    """A sum is finite only if all of its summands are; it is the fastest look at them without numpy."""
    for plane in frame.planes:
        if not math.isfinite(sum(memoryview(plane).cast("B").cast(kind))):
            raise Unfit("The sound has samples that are not finite numbers.")
