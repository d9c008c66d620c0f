"""Small files that uploads accept."""

import io
import wave

from PIL import Image

from tests.media_samples import score


def _image(encoding: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, encoding)
    return buffer.getvalue()


def _sound() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(800))
    return buffer.getvalue()


SAMPLES = (_image("PNG"), _image("JPEG"), _image("WEBP"), _sound(), score())
