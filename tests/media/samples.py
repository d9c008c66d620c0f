"""Outputs of every form, of which it is known what must be seen and heard when."""

import struct
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from pipelines.base import Output
from pipelines.outputs import Sound, Video

PROVENANCE = {
    "prompt": 'a 🦊 <b>&amp;</b> %s مرحبا\n"x" = ; # \\',
    "negative_prompt": "",
    "model": "house/scenes",
    "revision": "1",
    "job": "job_" + "0" * 24,
    "steps": 25,
    "guidance": 4.0,
}

TONE_SECONDS = 0.05


def asked(form: str, **others: Any) -> Any:
    """Inputs, as far as `media.write` looks at them."""
    return SimpleNamespace(format=form, **others)


def picture(size: tuple[int, int] = (64, 48), seed: int = 7) -> Output:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Output(2, Image.fromarray(pixels), seed, bucket=4, row=1)


def sound(
    seconds: float = 2.0, rate: int = 44_100, channels: int = 2, clicks: tuple[float, ...] = ()
) -> Sound:
    """Silence, with a short tone at each of `clicks`, in seconds."""
    samples = np.zeros((round(seconds * rate), channels), np.float32)
    tone = 0.8 * np.sin(np.arange(round(rate * TONE_SECONDS)) * 2 * np.pi * 1000 / rate)
    for click in clicks:
        start = round(click * rate)
        samples[start : start + len(tone)] = tone[: len(samples) - start, None]
    return Sound(samples, rate)


def video(
    frames: int = 24, fps: Fraction | int = 24, size: tuple[int, int] = (64, 48), heard: Sound | None = None
) -> Video:
    """A white square that goes from left to right over a gradient."""
    width, height = size
    ground = np.linspace(40, 200, width, dtype=np.uint8)[None, :, None]
    pixels = np.broadcast_to(ground, (frames, height, width, 3)).copy()
    for number in range(frames):
        left = number * (width - 8) // max(1, frames - 1)
        pixels[number, 8:16, left : left + 8] = 255
    return Video(pixels, fps, heard)


def flashing(
    fps: Fraction | int, rate: int, channels: int, size: tuple[int, int]
) -> tuple[Video, list[float]]:
    """A black video that flashes and clicks at the same times; when, in seconds."""
    count = 48
    pixels = np.zeros((count, size[1], size[0], 3), np.uint8)
    flashes = [count // 4, count // 2, 3 * count // 4]
    pixels[flashes] = 255
    times = [number / float(fps) for number in flashes]
    return Video(pixels, fps, sound(count / float(fps), rate, channels, tuple(times))), times


def score() -> bytes:
    """Four quarter notes, 120 beats a minute: two seconds."""
    notes = b"".join(
        b"\x00\x90" + bytes([key, 80]) + b"\x60\x80" + bytes([key, 0]) for key in (60, 62, 64, 65)
    )
    track = b"\x00\xff\x51\x03\x07\xa1\x20" + notes + b"\x00\xff\x2f\x00"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 96) + b"MTrk" + struct.pack(">I", len(track)) + track


def every_form() -> list[tuple[str, Output, Any]]:
    """One output for each format, with all that can be derived from it."""
    heard = sound(2.0, clicks=(0.5, 1.0))
    seen = video(heard=sound(1.0, clicks=(0.5,)))
    return [
        *((form, picture(), asked(form)) for form in ("png", "webp", "jpeg")),
        *(
            (form, Output(2, seen, 7, bucket=4, row=1), asked(form, extras=["gif", "frames"]))
            for form in ("mp4", "webm")
        ),
        *(
            (form, Output(2, Sound(heard.samples, heard.rate, score()), 7, bucket=4, row=1), asked(form))
            for form in ("flac", "wav", "ogg", "mp3")
        ),
    ]
