"""Classes 36 to 53: uploaded files, and files by URL."""

# ruff: noqa: E501 - tables of cases

import math
import struct
from array import array
from collections.abc import Callable
from functools import cache

import httpx

from infra.storage.keys import upload_key
from tests.bad_inputs import hostile_files as files
from tests.bad_inputs.bench import Bench
from tests.bad_inputs.table import Accepted, BadInput, Case, Refused, job
from tests.bad_inputs.values import at, from_image
from tests.integration.api.support import png
from tests.media_samples import score, video, wav

UNKNOWN = Refused(415, "unsupported_media_type")
BAD = Refused(422, "bad_media")
BAD_NAME = Refused(422, "invalid_request", ("/query/filename",))
BAD_URL = at("image/url")
SCRIPT = b"<script>alert(1)</script>PK\x03\x04"
PLAYLIST = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"


def sent(
    what: str,
    data: bytes | Callable[[], bytes],
    answer: Refused | Accepted,
    filename: str = "a.png",
    content_type: str = "application/octet-stream",
) -> Case:
    """A case that uploads these bytes."""
    return Case(
        what,
        lambda bench: bench.upload(data if isinstance(data, bytes) else data(), filename, content_type),
        answer,
    )


def stored(done: str, media_type: str = "image/png", *, without: bytes = SCRIPT, **facts: object) -> Accepted:
    """It is stored as something that we wrote: of this type, with these facts, without those bytes."""

    def check(bench: Bench, answer: httpx.Response) -> None:
        body = answer.json()
        assert {name: body.get(name) for name in facts} == facts
        assert body["media_type"] == media_type
        assert without not in bench.hand.storage.read(upload_key("alice", body["id"]))

    return Accepted(201, done, check)


AS_PNG = stored("written anew as 8-bit sRGB PNG", width=16, height=8)
ANEW = stored("the picture is written anew, the rest is gone")


@cache
def mp4() -> bytes:
    return video("libx264", "mp4")


def lying_mp4(*boxes: tuple[bytes, int, int]) -> bytes:
    """An MP4 in which the number at this offset of these boxes says something else."""
    data = bytearray(mp4())
    for box, offset, number in boxes:
        place = data.index(box) + 4 + offset
        data[place : place + 4] = struct.pack(">I", number)
    return bytes(data)


ENDLESS_HEADER = ((b"mvhd", 16, 2**31 - 1), (b"mdhd", 16, 2**31 - 1))
AS_WEBM = stored(
    "the frames are counted, not believed: 12 of them, half a second",
    "video/webm",
    frames=12,
    duration_seconds=0.5,
)
NAN = array("f", [math.nan] * 800).tobytes()


def url(what: str, address: str) -> Case:
    """A job with an input by this URL, which may not be used."""
    return job(what, from_image({"url": address}), BAD_URL)


def hosted(what: str, path: str, answer: Refused | Accepted) -> Case:
    """A job with an input by URL, from a server that the operator allows."""
    return Case(what, lambda bench: bench.submit(from_image({"url": bench.notes["files"] + path})), answer)


def is_an_upload(bench: Bench, answer: httpx.Response) -> None:
    """The effective inputs name an upload of the owner."""
    assert set(answer.json()["inputs"]["image"]) == {"upload"}


def image_is_used(bench: Bench, answer: httpx.Response) -> None:
    assert bench.hand.claim().inputs["image"] == answer.json()["inputs"]["image"]


def submit_with_odd_image(bench: Bench) -> httpx.Response:
    upload = bench.upload(png((37, 11))).json()["id"]
    return bench.submit(from_image({"upload": upload}))


def upload_image_and_sound(bench: Bench) -> None:
    bench.notes["image"], bench.notes["sound"] = (
        bench.upload(data).json()["id"] for data in (png(), wav(bytes(1600)))
    )


def submit_with_sound_as_mask(bench: Bench) -> httpx.Response:
    named = {"image": {"upload": bench.notes["image"]}, "mask": {"upload": bench.notes["sound"]}}
    return bench.submit({"kind": "inpaint", "model": "test/fake", "inputs": {"prompt": "x", **named}})


def short(bench: Bench) -> httpx.Response:
    return bench.raw(b"Content-Type: image/png\r\nContent-Length: 1000\r\n", png(), path=b"/v1/uploads")


def too_long(bench: Bench) -> httpx.Response:
    length = f"Content-Length: {bench.api.settings.max_upload_bytes + 1}\r\n".encode()
    return bench.raw(b"Content-Type: image/png\r\n" + length, png(), path=b"/v1/uploads")


def is_named(name: str) -> Accepted:
    return Accepted(
        201,
        "the name is kept as it is, for people; it never becomes a path",
        lambda bench, answer: _has_name(answer, name),
    )


def _has_name(answer: httpx.Response, name: str) -> None:
    assert answer.json()["filename"] == name


UNICODE_NAME = "Ferien ☀ in Köln 🏖️.png"

FILES_AND_URLS: tuple[BadInput, ...] = (
    BadInput(36, "Empty file", (sent("no bytes", b"", UNKNOWN),)),
    BadInput(37, "Wrong extension, type or magic", (
        sent("a page called `a.png`, as `image/png`", b"<html></html>", UNKNOWN, content_type="image/png"),
        sent("a PNG called `a.jpg`, as `image/jpeg`", png(), stored("the first bytes decide"), "a.jpg", "image/jpeg"),
        sent("a PNG's signature and nothing more", b"\x89PNG\r\n\x1a\n", BAD),
    )),
    BadInput(38, "Polyglot", (
        sent("a PNG with a page and a ZIP behind it", png() + SCRIPT, ANEW),
        sent("a JPEG with a page in its comment", files.image("JPEG", comment=SCRIPT), ANEW),
        sent("a GIF that is a script", b"GIF89a=1;alert(1)//", UNKNOWN),
        sent("a WAV with a page behind it", wav(bytes(1600)) + SCRIPT, stored("the sound is written anew, the rest is gone", "audio/flac")),
    )),
    BadInput(39, "Decompression bomb", (
        sent("a PNG of 60,000 × 60,000", files.png_of(60_000, 60_000, b"\0" * 1000), BAD),
        sent("a PNG of 2^31 − 1 squared", files.png_of(2**31 - 1, 2**31 - 1, b"\0"), BAD),
        sent("a PNG of 10 × 10 with 50 MB of data", lambda: files.png_of(10, 10, bytes(50_000_000)), stored("what is too much is not unpacked", width=10)),
        sent("an animated PNG", files.animated("PNG"), BAD), sent("an animated WebP", files.animated("WEBP"), BAD),
        sent("a GIF", files.animated("GIF"), UNKNOWN), sent("a TIFF", files.image("TIFF"), UNKNOWN),
    )),
    BadInput(40, "Truncated or wrong checksum", (
        sent("half a PNG", png()[:50], BAD), sent("a PNG with a wrong checksum", files.broken_png(), BAD),
        sent("half a JPEG", files.image("JPEG", size=(300, 200))[:700], BAD), sent("a third of an MP4", lambda: mp4()[: len(mp4()) // 3], BAD),
    )),
    BadInput(41, "Unusual but good images", (
        sent("16 bits", files.deep(), AS_PNG), sent("CMYK", files.image("JPEG", "CMYK"), AS_PNG), sent("a palette", files.image("PNG", "P"), AS_PNG),
        sent("a colour profile", files.with_profile(), AS_PNG), sent("a broken profile", files.image("PNG", icc_profile=b"x"), AS_PNG),
        sent("EXIF that turns it", files.turned(), stored("turned as it says; the metadata is gone", without=b"a secret", width=8, height=16)),
    )),
    BadInput(42, "SVG, EPS, PSD, PDF", tuple(
        sent(name, data, UNKNOWN) for name, data in (
            ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'/>"), ("EPS", b"%!PS-Adobe-3.0 EPSF-3.0"), ("PSD", b"8BPS\0\1"), ("PDF", b"%PDF-1.7"),
        )
    )),
    BadInput(43, "Playlists and references to files", (
        sent("an m3u8 of `file:///etc/passwd`", PLAYLIST, UNKNOWN), sent("an ffconcat list", b"ffconcat version 1.0\nfile /etc/passwd\n", UNKNOWN),
        sent("an m3u8 behind the head of an Ogg", b"OggS" + PLAYLIST, BAD), sent("an m3u8 behind the head of an MP4", b"\0\0\0\x10ftyp" + PLAYLIST, BAD),
        sent("an m3u8 behind an ID3 tag", b"ID3\4\0\0\0\0\0\0" + PLAYLIST, BAD),
    )),
    BadInput(44, "Videos that lie", (
        sent("2^31 − 1 frames and ten years in the header", lambda: lying_mp4(*ENDLESS_HEADER), AS_WEBM),
        sent("no ticks a second", lambda: lying_mp4((b"mdhd", 12, 0)), stored("what can be shown is written anew", "video/webm")),
        sent("2^31 − 1 samples in the table", lambda: lying_mp4((b"stsz", 8, 2**31 - 1)), BAD),
    )),
    BadInput(45, "Sound out of bounds", (
        sent("192 kHz × 64 channels", wav(bytes(64 * 2 * 192), rate=192_000, channels=64), BAD),
        sent("samples that are not numbers", wav(NAN, bits=32, is_float=True), BAD), sent("1 Hz", wav(bytes(200), rate=1), BAD),
        sent("a WAV without samples", wav(b""), BAD),
        sent("half a MIDI file", score()[:30], BAD), sent("a MIDI file without a note", score()[:22] + bytes(4), BAD),
        sent("a MIDI file with a page behind it", score() + SCRIPT, stored("the notes are written anew, the rest is gone", "audio/midi")),
        sent("192 kHz × 6 channels", wav(bytes(6 * 2 * 19_200), rate=192_000, channels=6), stored("48 kHz and two channels are stored", "audio/flac", duration_seconds=0.1)),
    )),
    BadInput(46, "Mask or image of another size", (
        job("a mask for a kind without one", {**from_image({"upload": "upl_0"}), "inputs": {"prompt": "x", "image": {"upload": "upl_0"}, "mask": {"upload": "upl_0"}}}, at("mask")),
        Case("a sound as a mask", submit_with_sound_as_mask, at("mask/upload"), upload_image_and_sound),
        Case("an image of 37 × 11 for a picture of 512 × 512", submit_with_odd_image, Accepted(202, "scaled until it covers the picture, then cut", image_is_used)),
    ), "A mask is scaled and cut as its image is."),
    BadInput(47, "URLs that lead inside", tuple(
        url(f"`{address}`", address) for address in (
            "https://127.0.0.1/", "https://169.254.169.254/latest/meta-data/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/",
            "https://0x7f.1/", "https://2130706433/", "https://0177.0.0.1/", "https://100.64.0.1/", "https://10.0.0.1/", "https://[fd00:ec2::254]/",
            "https://[2002:7f00:1::]/", "https://224.0.0.1/", "https://0.0.0.0/", "https://localhost/", "https://redis/",
        )
    )),
    BadInput(48, "Redirect", (hosted("a redirect to `http://127.0.0.1:6379/`", "redirect", BAD_URL),)),
    BadInput(49, "DNS rebinding", (url("a name that there is not", "https://nowhere.invalid/"),),
        "A name is resolved once, each of its addresses is checked, and the connection goes to one that was: `tests/unit/infra/test_outbound.py` has a name that changes its mind."),
    BadInput(50, "Odd URLs", (
        *(url(f"`{address}`", address) for address in (
            "https://user@example.com/", "https://user:password@example.com/", "https://example.com#@127.0.0.1/", "https://example.com\\@127.0.0.1/",
            "https://example.com:6379/", "http://example.com/", "gopher://example.com/", "file:///etc/passwd", "data:image/png;base64,AAAA", "//example.com/",
            "https://example.com./", "https://[fe80::1%25eth0]/",
        )),
        url("a line break", "https://example.com/\r\nX: y"), url("3,000 characters", "https://" + "a" * 3000),
    )),
    BadInput(51, "Endless stream or bomb as a download", (
        hosted("a stream without an end", "endless", BAD_URL), hosted("a gzip bomb", "gzip", BAD_URL), hosted("a page", "a_page", BAD_URL),
        hosted("a picture", "a.png", Accepted(202, "downloaded, checked, and named as an upload in the job's inputs", is_an_upload)),
    )),
    BadInput(52, "Upload of another size or type than announced", (
        Case("fewer bytes than `Content-Length`", short, Refused(400, "malformed_request")), Case("more than an upload may have", too_long, Refused(413, "too_large")),
        sent("a PNG as `video/mp4`", png(), stored("the first bytes decide"), content_type="video/mp4"),
        sent("a form", png(), UNKNOWN, content_type="multipart/form-data; boundary=x"),
    ), "There are no signed URLs for uploading: every byte comes through the API."),
    BadInput(53, "File names", (
        *(sent(what, png(), BAD_NAME, name) for what, name in (
            ("a slash", "../../etc/passwd"), ("a backslash", "..\\a"), ("`\\r\\n`", "a\r\nX: y"), ("300 characters", "a" * 300), ("`..`", ".."), ("NUL", "a\0b"), ("empty", ""),
        )),
        sent("Unicode", png(), is_named(UNICODE_NAME), UNICODE_NAME), sent("HTML without a slash", png(), is_named("<b>.png"), "<b>.png"),
    )),
)  # fmt: skip
