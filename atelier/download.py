"""Fetching one artifact: whole or not at all, checked against its digest, continued where it was cut off."""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import httpx

from atelier.errors import AtelierError, BadAnswer, BrokenDownload
from atelier.records import Artifact
from atelier.transport import Transport, worth_waiting_for

LONGEST_SILENCE: Final = 30.0  # seconds
TRIES: Final = 5  # connections for one file; each goes on where the last one stopped
PAUSE: Final = 0.5  # seconds between them


def download(transport: Transport, path: str, artifact: Artifact, target: Path) -> Path:
    """Write the artifact to the file `target`; raises BrokenDownload when the bytes are not those recorded.

    Until it is complete and checked it lies beside the target, under a name that holds its digest, so that a
    later call, even in another process, goes on with the right bytes.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{artifact.sha256[:16]}.part")
    with _alone_at(part):
        _fill(transport, path, artifact, part)
        if _digest(part) != artifact.sha256:
            part.unlink()
            raise BrokenDownload(f"{artifact.name}: the bytes that came do not have the recorded digest")
        _publish(part, target)
    return target


@contextmanager
def _alone_at(part: Path) -> Iterator[None]:
    """Nobody else writes this file meanwhile, in no thread or process; waits for who does."""
    while True:
        with part.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is(file, part):  # who was before us has put it into its place, or removed it
                continue
            try:
                yield
            finally:
                if _is(file, part) and not part.stat().st_size:
                    part.unlink()
            return


def _is(file: IO[bytes], path: Path) -> bool:
    """Whether that is still the file's name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _fill(transport: Transport, path: str, artifact: Artifact, part: Path) -> None:
    for tries_left in range(TRIES - 1, -1, -1):
        if part.exists() and part.stat().st_size >= artifact.bytes > 0:
            return
        try:
            _append(transport, path, part)
            return
        except AtelierError as error:
            if not tries_left or not worth_waiting_for(error):
                raise
        time.sleep(PAUSE)


def _append(transport: Transport, path: str, part: Path) -> None:
    """Add the bytes that `part` lacks; start again when the server answers with all of them."""
    start = part.stat().st_size if part.exists() else 0
    # identity: a compressed answer has other offsets than the stored bytes
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with transport.stream(path, headers, LONGEST_SILENCE) as response:
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        if start and resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise BadAnswer(f"{path} was answered with another range than was asked for")
        with part.open("ab" if resumed else "wb") as file:
            for chunk in response.iter_raw():
                file.write(chunk)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _publish(part: Path, target: Path) -> None:
    """Rename into place, on disk before this returns: a name that is visible always has all its bytes."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
