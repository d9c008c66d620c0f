"""Untrusted containers of sound and video: one demuxer, listed codecs, and nothing beside the file itself."""

import logging  # noqa: F401 - PyAV imports these when it needs them, and a confined process can import nothing
from typing import Any, BinaryIO

import av
import av.subtitles.codeccontext
import av.subtitles.stream
from av.container import InputContainer
from av.stream import Disposition

from infra.media_child.answer import Unfit, Written
from infra.media_child.limits import STREAMS
from infra.media_child.sound import rewrite_sound
from infra.media_child.video import rewrite_video

DEMUXERS = {
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "video/mp4": "mov",
    "video/webm": "matroska",
}
PCM = {f"pcm_{form}" for form in ("u8", "s16le", "s16be", "s24le", "s24be", "s32le", "f32le", "f64le")}
SOUND_CODECS = frozenset({"aac", "alac", "flac", "mp3", "mp3float", "opus", "libopus", "vorbis", *PCM})
VIDEO_CODECS = frozenset({"h264", "hevc", "vp8", "libvpx", "vp9", "libvpx-vp9", "av1", "libdav1d"})


def rewrite(source: BinaryIO, target: BinaryIO, sniffed: str) -> Written:
    """Decode `source` completely and write `target`: WebM if there is a picture, else FLAC."""
    with _opened(source, DEMUXERS[sniffed]) as container:
        picture = _chosen(container.streams.video, VIDEO_CODECS)
        sound = _chosen(container.streams.audio, SOUND_CODECS)
        if picture is not None and sniffed.startswith("video/"):
            return rewrite_video(container, picture, sound, target)
        if picture is None and sound is not None:
            return rewrite_sound(container, sound, target)
        raise Unfit("The file holds neither a picture nor a sound that is accepted in it.")


def _opened(source: BinaryIO, demuxer: str) -> InputContainer:
    """No protocol is allowed, so playlists and references lead nowhere, and probing touches no decoder but
    the listed ones."""
    options = {
        "protocol_whitelist": "none",
        "codec_whitelist": ",".join(sorted(SOUND_CODECS | VIDEO_CODECS)),
        "max_streams": str(STREAMS),
    }
    av.logging.set_level(av.logging.PANIC)
    return av.open(source, "r", format=demuxer, options=options, metadata_errors="replace")


def _chosen(streams: Any, codecs: frozenset[str]) -> Any:
    """The first stream that is no cover picture, or None; Unfit when its codec is not one of these."""
    stream = next((each for each in streams if not each.disposition & Disposition.attached_pic), None)
    if stream is None:
        return None
    context = stream.codec_context
    if context is None or context.name not in codecs:
        raise Unfit(f"The {stream.type} in the file has a format that is not accepted.")
    context.thread_count = 1  # a confined process can start no thread
    return stream
