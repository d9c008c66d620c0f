"""What the fake family makes: small real pictures, videos and sounds, of which seed, words and files decide.

Numpy and the readers of files are loaded where they are needed, so that an engine of pictures starts quickly.
"""

import hashlib
import io
import math
from typing import Any

from PIL import Image

from pipelines.base import Request
from pipelines.outputs import Sound, Video

RATE = 16_000
MIDI_MAGIC = b"MThd"
SCORE = bytes.fromhex("4d546864000000060000000101e0 4d54726b0000000d 00903c40 8360803c40 00ff2f00")
"""A standard MIDI file: middle C for one beat of 480 ticks."""


def make(request: Request, seed: int, words: str) -> Any:
    """The output of a request, for its kind."""
    digest = _digest(request, seed, words)
    match request.kind:
        case "upscale":
            return _larger(request)
        case "inpaint":
            return _repainted(request, digest)
        case "text-to-image" | "image-to-image":
            return Image.new("RGB", _size(request), tuple(digest[:3]))
        case "text-to-video" | "image-to-video":
            return _film(request, digest, "sound" in words.split())
        case "video-to-video":
            return _tinted(request, digest)
        case _:
            return _music(request, digest, "score" in words.split())


def noise(request: Request, seed: int, words: str, size: int) -> Image.Image:
    """A picture of at least `size` bytes as PNG."""
    side = math.isqrt(size // 3) + 1
    return Image.frombytes(
        "RGB", (side, side), hashlib.shake_256(_digest(request, seed, words)).digest(3 * side * side)
    )


def preview(step: int) -> bytes:
    """A picture that a step is told with."""
    data = io.BytesIO()
    Image.new("RGB", (16, 16), (step % 256, 0, 0)).save(data, "WEBP")
    return data.getvalue()


def _digest(request: Request, seed: int, words: str) -> bytes:
    """What decides: not the file of a picture, whose metadata name the job that made it, but its pixels."""
    whole = hashlib.sha256(f"{seed} {words}".encode())
    if "image" in request.files:
        with Image.open(request.files["image"]) as picture:
            whole.update(picture.convert("RGB").tobytes())
    return whole.digest()


def _size(request: Request) -> tuple[int, int]:
    return request.inputs.width, request.inputs.height


def _repainted(request: Request, digest: bytes) -> Image.Image:
    """The picture, with one colour where the mask is white."""
    from pipelines.media import read_mask, read_picture

    picture = read_picture(request.files["image"], _size(request), "image")
    mask = read_mask(request.files["mask"], _size(request), "mask")
    return Image.composite(Image.new("RGB", picture.size, tuple(digest[:3])), picture, mask)


def _larger(request: Request) -> Any:
    """Each pixel as a square of them."""
    factor = request.inputs.factor or 2
    if request.inputs.image is not None:
        with Image.open(request.files["image"]) as picture:
            return picture.convert("RGB").resize((picture.width * factor, picture.height * factor), 0)
    from pipelines.media import read_video

    video = read_video(request.files["video"], "video")
    return Video(video.frames.repeat(factor, axis=1).repeat(factor, axis=2), video.fps, video.sound)


def _film(request: Request, digest: bytes, with_sound: bool) -> Video:
    """One colour, that a brighter square crosses."""
    import numpy as np

    width, height = _size(request)
    frames = np.empty((request.inputs.frames, height, width, 3), np.uint8)
    frames[:] = np.frombuffer(digest[:3], np.uint8) // 2
    side = min(width, height) // 4
    for number, frame in enumerate(frames):
        left = number * (width - side) // max(1, len(frames) - 1)
        frame[:side, left : left + side] += 127
    seconds = len(frames) / request.inputs.fps
    return Video(frames, request.inputs.fps, _tone(digest, seconds) if with_sound else None)


def _tinted(request: Request, digest: bytes) -> Video:
    """The frames that were given, each moved halfway to one colour."""
    import numpy as np

    from pipelines.media import read_frames

    inputs = request.inputs
    frames = read_frames(request.files["video"], _size(request), inputs.frames, inputs.fps, "video")
    return Video(frames // 2 + np.frombuffer(digest[:3], np.uint8) // 2, inputs.fps)


def _music(request: Request, digest: bytes, with_score: bool) -> Sound:
    """A tone, after what was given if that is a recording."""
    import numpy as np

    from pipelines.media import read_sound

    tone = _tone(digest, request.inputs.duration_seconds, SCORE if with_score else None)
    given = request.files.get("audio")
    if given is None or given.read_bytes()[:4] == MIDI_MAGIC:
        return tone
    before = read_sound(given, RATE, 1, "audio")
    return Sound(np.concatenate([before, tone.samples]), RATE, tone.score)


def _tone(digest: bytes, seconds: float, score: bytes | None = None) -> Sound:
    import numpy as np

    times = np.arange(round(seconds * RATE)) / RATE
    samples = 0.5 * np.sin(2 * np.pi * (220 + 2 * digest[3]) * times)
    return Sound(samples[:, None].astype(np.float32), RATE, score)
