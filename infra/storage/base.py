"""What a storage can do. `folder.py` and `s3.py` do it; one contract suite tests them alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

CHUNK_BYTES = 256 * 1024  # a read's unit: small enough for many readers at once, large enough for speed


@dataclass(frozen=True, slots=True)
class Stored:
    """What `put` has made durable."""

    key: str
    bytes: int
    sha256: str  # hex, taken while the bytes were on their way


@dataclass(frozen=True, slots=True)
class Stat:
    """What is known of an object without reading it."""

    bytes: int
    media_type: str
    modified_ms: int  # epoch milliseconds by the storage's own clock


@dataclass(frozen=True, slots=True)
class Entry:
    """An object of a list."""

    key: str
    bytes: int
    modified_ms: int  # as of Stat


@dataclass(frozen=True, slots=True)
class Tally:
    """How many things there were, and how large they were together."""

    count: int = 0
    bytes: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.count + other.count, self.bytes + other.bytes)


NONE = Tally()


class Reader(Protocol):
    """The bytes of one `open`, in chunks. Use `with`, or close it: it holds a connection or a descriptor."""

    def __iter__(self) -> Iterator[bytes]: ...
    def __next__(self) -> bytes: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Storage(Protocol):
    """A flat space of objects under keys such as `local/job_…/<attempt>/0.png` (see `keys.py`).

    An object appears whole or not at all, and is durable when `put` returns. Every call may raise
    StorageUnavailable, and BadKey for a key or prefix that `keys.py` would not make. Calls that move no
    object's bytes answer or fail within 3 seconds. Safe to share between threads.
    """

    def put(self, key: str, source: Path | bytes, media_type: str) -> Stored:
        """Store a file or bytes, in place of what was there. StorageFull when there is no room."""

    def open(self, key: str, start: int = 0, end: int | None = None) -> Reader:
        """Bytes `start` to `end` (counted from 0, `end` included; None: to the last).

        A range that reaches past the end gives what there is, maybe nothing; one that runs backwards is a
        ValueError. ObjectNotFound.
        """

    def read(self, key: str) -> bytes:
        """A whole object, for small ones such as manifests. ObjectNotFound."""

    def stat(self, key: str) -> Stat:
        """Size, media type and time of storing. ObjectNotFound."""

    def list(self, prefix: str = "") -> Iterator[str]:
        """Keys under a prefix of whole segments (`local/job_1/`; empty for all), in no promised order."""

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """The same, with what else a list tells."""

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""

    def delete_prefix(self, prefix: str) -> Tally:
        """Remove every object under a prefix, which must not be empty; returns what there was."""

    def sweep(self, older_than_seconds: float, *, dry_run: bool = False) -> Tally:
        """Remove what interrupted puts have left behind, if it is that old; returns what there was."""

    def sign(self, key: str, seconds: int, filename: str) -> str | None:
        """A URL from which anyone may download the object, as `filename`, for so long; None where clients
        cannot reach the storage. Talks to nobody, so it does not know whether the object is there."""

    def check(self) -> None:
        """Return if the storage is ready for a put, else raise StorageUnavailable, within 2.5 seconds."""


def check_range(start: int, end: int | None) -> None:
    """ValueError for a range that begins before 0 or ends before it begins."""
    if start < 0 or (end is not None and end < start):
        raise ValueError(f"bytes {start} to {end} are no range")
