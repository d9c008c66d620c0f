"""Small real sounds, scores and videos, made by the encoders that people use."""

import io
import math
import struct
from array import array
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from mido import Message, MetaMessage, MidiFile, MidiTrack

CHUNK = 1024  # samples
TICKS = 24  # frames a second of every video here


def wav(
    samples: bytes, *, rate: int = 8_000, channels: int = 1, bits: int = 16, is_float: bool = False
) -> bytes:
    """A WAV file with these raw samples, whatever they are."""
    width = bits // 8 * channels
    form = struct.pack("<HHIIHH", 3 if is_float else 1, channels, rate, rate * width, width, bits)
    body = (
        b"WAVEfmt "
        + struct.pack("<I", len(form))
        + form
        + b"data"
        + struct.pack("<I", len(samples))
        + samples
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def score(*pitches: int) -> bytes:
    """Quarter notes at 120 beats a minute, as a standard MIDI file."""
    notes = (
        Message(kind, note=pitch, velocity=80, time=time)
        for pitch in pitches or (60, 64, 67)
        for kind, time in (("note_on", 0), ("note_off", 480))
    )
    buffer = io.BytesIO()
    MidiFile(ticks_per_beat=480, tracks=[MidiTrack([*notes, MetaMessage("end_of_track")])]).save(file=buffer)
    return buffer.getvalue()


def sound(
    codec: str, form: str, *, seconds: float = 0.5, rate: int = 44_100, layout: str = "stereo"
) -> bytes:
    """A tone, encoded with `codec` in the container `form`."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        for start in range(0, int(rate * seconds), CHUNK):
            output.mux(stream.encode(_tone(start, rate, layout)))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def _tone(start: int, rate: int, layout: str) -> AudioFrame:
    frame = AudioFrame(format="s16", layout=layout, samples=CHUNK)
    frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
    channels = len(frame.layout.channels)
    wave = array("h", (int(9000 * math.sin((start + i // channels) * 0.06)) for i in range(CHUNK * channels)))
    frame.planes[0].update(wave.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
    return frame


def video(
    codec: str,
    form: str,
    *,
    frames: int = 12,
    size: tuple[int, int] = (64, 48),
    sound_codec: str = "",
    heard: float = 0.5,
    starts: tuple[int, int] = (0, 0),
    pixel: Fraction = Fraction(1),
) -> bytes:
    """A picture whose upper half is bright; with `heard` seconds of tone if a codec for that is given.

    starts: of the tone and of the pictures, in frames. pixel: how many times as wide as high each is.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as output:
        stream = output.add_stream(codec, rate=TICKS, options=_quiet(codec))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.sample_aspect_ratio = pixel
        tone = output.add_stream(sound_codec, rate=48_000, layout="stereo") if sound_codec else None
        first = starts[0] * 48_000 // TICKS
        for start in range(first, first + int(48_000 * heard) if tone else first, CHUNK):
            output.mux(tone.encode(_tone(start, 48_000, "stereo")))
        for index in range(frames):
            output.mux(stream.encode(_picture(starts[1] + index, size)))
        output.mux(stream.encode(None))
        if tone:
            output.mux(tone.encode(None))
    return buffer.getvalue()


def _quiet(codec: str) -> dict[str, str]:
    """Encoders that would print to the terminal are told not to."""
    return {"libx265": {"x265-params": "log-level=none"}}.get(codec, {})


def _picture(index: int, size: tuple[int, int]) -> VideoFrame:
    frame = VideoFrame(*size, "yuv420p")
    bright, grey, red = frame.planes
    half = bright.buffer_size // 2
    bright.update(bytes([180 + index % 60]) * half + bytes([20]) * (bright.buffer_size - half))
    grey.update(bytes([128]) * grey.buffer_size)
    red.update(bytes([128]) * red.buffer_size)
    frame.pts, frame.time_base = index, Fraction(1, TICKS)
    return frame


def turned(mp4: bytes, degrees: int) -> bytes:
    """The same MP4, whose first track asks to be turned clockwise by this."""
    cos, sin = round(math.cos(math.radians(degrees))), round(math.sin(math.radians(degrees)))
    matrix = struct.pack(">9i", cos << 16, sin << 16, 0, -sin << 16, cos << 16, 0, 0, 0, 1 << 30)
    at = mp4.index(b"tkhd") + 4 + 40  # the matrix stands 40 bytes into version 0 of this box
    return mp4[:at] + matrix + mp4[at + len(matrix) :]
