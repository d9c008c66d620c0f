"""Text of others on a terminal: prompts, metadata and what a model has written may hold codes for it."""

import re
from typing import TextIO

STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed, and those that turn the direction of writing."""


def harmless(text: str, stream: TextIO) -> str:
    """`text` as it may be written to `stream`: exact into files and pipes, escaped on a terminal."""
    return STEERING.sub(lambda found: ascii(found[0])[1:-1], text) if stream.isatty() else text
