"""HTTP ranges (RFC 9110 §14) over an artifact of a known size."""

import re
from dataclasses import dataclass

from api.problems import Problem

ONE_RANGE = re.compile(r"^bytes=(\d{0,18})-(\d{0,18})$")


@dataclass(frozen=True)
class Span:
    """Bytes `start` to `end`, both included, of `size`."""

    start: int
    end: int
    size: int

    @property
    def length(self) -> int:
        return self.end - self.start + 1

    @property
    def content_range(self) -> str:
        return f"bytes {self.start}-{self.end}/{self.size}"


def requested_span(header: str | None, size: int) -> Span | None:
    """The one range that was asked for; None for the whole (no header, not understood, or several ranges,
    which a server may ignore). Problem 416 when it lies outside."""
    match = ONE_RANGE.match(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size - 1
        outside = int(last) == 0 or size == 0
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None  # not a valid range: ignored, as the RFC says
        outside = start >= size
    if outside:
        raise Problem(
            "range_not_satisfiable",
            f"The artifact has {size} bytes.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return Span(start, end, size)
