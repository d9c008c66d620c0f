"""The file of a backup: gzip over one JSON object a line, a header first, and a digest of it all last.

    {"kind": "backup", "format": 1, …}
    {"kind": "job", …}
    …
    {"kind": "end", "lines": 1234, "sha256": "…"}      of every byte before this line

It is written under another name, made durable, then moved to its own, so a file of that name is a whole one.
"""

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from infra.backup.errors import BadBackup
from infra.errors import StorageFull

FORMAT = 1
FIRST, LAST = "backup", "end"

Line = dict[str, Any]


class Writer:
    """Adds lines to a backup on its way."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self._digest = sha256()
        self.lines = 0

    def write(self, kind: str, **fields: Any) -> None:
        text = json.dumps({"kind": kind, **fields}, ensure_ascii=False, separators=(",", ":"))
        line = text.encode() + b"\n"
        self._file.write(line)
        self._digest.update(line)
        self.lines += 1

    def end(self) -> None:
        self.write(LAST, lines=self.lines, sha256=self._digest.hexdigest())


@contextmanager
def new_file(path: Path) -> Iterator[Writer]:
    """A new backup, for the eyes of its owner only; there is none at `path` unless the block ends well."""
    if path.exists():
        raise BadBackup(f"{path} exists already; a backup replaces no file.")
    part = path.with_name(path.name + ".part")
    try:
        with (
            _translated(path),
            open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw,
        ):
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6) as file:
                writer = Writer(file)
                yield writer
                writer.end()
            raw.flush()
            os.fsync(raw.fileno())
        part.rename(path)
        _sync_folder(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def check(path: Path) -> Line:
    """The header of a backup that is whole; BadBackup otherwise. Reads all of it."""
    digest, count = sha256(), 0
    header, last = None, None
    for raw in _raw_lines(path):  # to the very end: only there gzip compares its own checksum
        if last is not None and last["kind"] == LAST:
            raise BadBackup(f"{path} goes on after its end.")
        last = _parsed(path, raw)
        header = header or _header(path, last)
        if last["kind"] != LAST:
            digest.update(raw)
            count += 1
    if header is None or last is None or last["kind"] != LAST:
        raise BadBackup(f"{path} ends too early.")
    if (last["lines"], last["sha256"]) != (count, digest.hexdigest()):
        raise BadBackup(f"{path} is damaged: its digest differs.")
    return header


def lines(path: Path) -> Iterator[Line]:
    """The lines between the first and the last."""
    for raw in _raw_lines(path):
        line = _parsed(path, raw)
        if line["kind"] not in (FIRST, LAST):
            yield line


def _header(path: Path, line: Line) -> Line:
    if line["kind"] != FIRST:
        raise BadBackup(f"{path} is no backup.")
    if line["format"] != FORMAT:
        raise BadBackup(f"{path} has format {line['format']}; this version reads {FORMAT}.")
    return line


def _parsed(path: Path, raw: bytes) -> Line:
    try:
        line: Line = json.loads(raw)
        line["kind"]
    except (ValueError, TypeError, KeyError):
        raise BadBackup(f"{path} is no backup, or it is damaged.") from None
    return line


def _raw_lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path, "rb") as file:
            yield from file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadBackup(f"{path} is no backup, or it is damaged: {error}.") from None
    except OSError as error:
        raise BadBackup(f"{path} cannot be read: {error.strerror}.") from None


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFull(f"{path} cannot be written: {error.strerror}.") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
