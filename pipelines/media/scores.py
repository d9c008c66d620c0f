"""Scores: standard MIDI files that say how they were made."""

import struct

HEAD = 14
"""Bytes of a MIDI file's header."""

TEXT_EVENT = b"\x00\xff\x01"
"""A text, at the very beginning of a track."""


def with_text(score: bytes, text: str) -> bytes:
    """The MIDI file with a text event at the beginning of its first track; raises ValueError."""
    if score[:4] != b"MThd" or score[HEAD : HEAD + 4] != b"MTrk":
        raise ValueError("the score is not a standard MIDI file")
    (length,) = struct.unpack(">I", score[HEAD + 4 : HEAD + 8])
    words = text.encode()
    event = TEXT_EVENT + _variable(len(words)) + words
    rest = score[HEAD + 8 :]
    return score[: HEAD + 4] + struct.pack(">I", length + len(event)) + event + rest


def first_text(score: bytes) -> str:
    """The text that `with_text` has written; empty where there is none."""
    at = HEAD + 8
    if not score.startswith(TEXT_EVENT, at):
        return ""
    at += len(TEXT_EVENT)
    length = 0
    while at < len(score):
        digit = score[at]
        length, at = length << 7 | digit & 0x7F, at + 1
        if digit < 0x80:
            break
    return score[at : at + length].decode(errors="replace")


def _variable(number: int) -> bytes:
    """MIDI's variable-length number: seven bits a byte, the highest bit says that more follow."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))
