"""A server of files by URL that behaves as badly as its paths say, and the bytes of odd and hostile files."""

import io
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image, ImageCms

from tests.integration.api.support import png

CHUNK = b"\0" * 65_536


class HostileFiles(BaseHTTPRequestHandler):
    """`/a.png` is fine; the others are not."""

    def do_GET(self) -> None:
        getattr(self, "give_" + self.path.strip("/").replace(".", "_"))()

    def give_a_png(self) -> None:
        self._answer(200, png())

    def give_a_page(self) -> None:
        self._answer(200, b"<html>")

    def give_redirect(self) -> None:
        self._answer(302, b"", Location="http://127.0.0.1:6379/")

    def give_gzip(self) -> None:
        bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
        self._answer(200, bomb.compress(bytes(10_000_000)) + bomb.flush(), Content_Encoding="gzip")

    def give_endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(CHUNK)
        except OSError:
            self.close_connection = True

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: Any) -> None:
        """Nothing on the terminal."""


@contextmanager
def hostile_files() -> Iterator[int]:
    """The server, on this port of loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), HostileFiles)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def image(form: str, mode: str = "RGB", size: tuple[int, int] = (16, 8), **options: Any) -> bytes:
    """A plain picture in this format."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 20, 30)).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def deep() -> bytes:
    """A PNG of 16 bits."""
    buffer = io.BytesIO()
    Image.new("I;16", (16, 8), 40_000).save(buffer, "PNG")
    return buffer.getvalue()


def turned() -> bytes:
    """A JPEG that EXIF turns by 90 degrees, with a secret in its metadata."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a secret"
    return image("JPEG", exif=exif)


def with_profile() -> bytes:
    """A PNG with a colour profile."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return image("PNG", icc_profile=profile)


def animated(form: str) -> bytes:
    """Two frames."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, form, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def png_of(width: int, height: int, data: bytes) -> bytes:
    """A PNG whose header says anything."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(data)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def broken_png() -> bytes:
    """A PNG with a wrong checksum."""
    data = bytearray(png((64, 64)))
    data[len(data) // 2] ^= 0xFF
    return bytes(data)
