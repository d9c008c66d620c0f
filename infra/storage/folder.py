"""Objects as files under one folder, for one machine (or a shared file system that keeps POSIX rename).

Every path is walked from the root's descriptor with O_NOFOLLOW, one segment at a time, so a symbolic link
inside the folder is never followed, whoever put it there and whenever. Dotted names are the storage's own:
`.<name>.<random>.part` is a put on its way, `.<name>.type` a media type that the name's ending does not tell.
"""

import errno
import fcntl
import os
import secrets
import stat as modes
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from infra.errors import (
    BadKey,
    InfraError,
    ObjectNotFound,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
)
from infra.storage.base import CHUNK_BYTES, Entry, Reader, Stat, Stored, Tally, check_range
from infra.storage.keys import check_key, check_prefix

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
OLD_FILE = (
    os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
)  # NONBLOCK: a FIFO must not hang a reader
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT)  # of the root: it is not mounted
PART, TYPE = ".part", ".type"
UNKNOWN = "application/octet-stream"
MEDIA_TYPES = {
    ".flac": "audio/flac",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".mid": "audio/midi",
    ".mp4": "video/mp4",
    ".ogg": "audio/ogg",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webp": "image/webp",
}


class FolderStorage:
    """The folder storage; see `Storage` for what each call promises."""

    def __init__(self, root: Path) -> None:
        """Use `root`, which is made when it is missing, for its owner's eyes only."""
        self.root = root
        with _translated(str(root)):
            root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, key: str, source: Path | bytes, media_type: str) -> Stored:
        *folders, name = check_key(key).split("/")
        with (
            _opened(source) as chunks,
            _translated(key),
            self._lock(fcntl.LOCK_SH) as unlock,
            self._folder(folders, create=True) as folder,
        ):
            part = _Part.new(folder, name)
            unlock()  # nobody prunes a folder that has a file in it
            with part:
                size, digest = part.fill(chunks)
                _note_media_type(folder, name, media_type)
                part.move_to(name)
            return Stored(key, size, digest)

    def open(self, key: str, start: int = 0, end: int | None = None) -> Reader:
        check_range(start, end)
        with _translated(key):
            file = self._open(key)
            try:
                file.seek(start)
            except BaseException:
                file.close()
                raise
        return _FileReader(key, file, None if end is None else end - start + 1)

    def read(self, key: str) -> bytes:
        with self.open(key) as chunks:
            return b"".join(chunks)

    def stat(self, key: str) -> Stat:
        *folders, name = check_key(key).split("/")
        with _translated(key), self._folder(folders) as folder:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not modes.S_ISREG(found.st_mode):
                raise ObjectNotFound(f"no object {key}")
            return Stat(found.st_size, _media_type(folder, name), found.st_mtime_ns // 1_000_000)

    def list(self, prefix: str = "") -> Iterator[str]:
        return (entry.key for entry in self.entries(prefix))

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        for path, name, found in self._walk(check_prefix(prefix)):
            if not name.startswith("."):
                yield Entry(path + name, found.st_size, found.st_mtime_ns // 1_000_000)

    def delete(self, key: str) -> None:
        *folders, name = check_key(key).split("/")
        with suppress(ObjectNotFound), _translated(key):
            with self._folder(folders) as folder:
                _unlink(folder, name)
                os.fsync(folder)
            self._prune(folders)

    def delete_prefix(self, prefix: str) -> Tally:
        if not check_prefix(prefix):
            raise BadKey("refusing to delete everything: the prefix is empty")
        removed = Tally()
        for entry in list(self.entries(prefix)):
            self.delete(entry.key)
            removed += Tally(1, entry.bytes)
        with suppress(ObjectNotFound), _translated(prefix):
            self._prune(prefix[:-1].split("/"))
        return removed

    def sweep(self, older_than_seconds: float, *, dry_run: bool = False) -> Tally:
        oldest = time.time() - older_than_seconds
        found = Tally()
        for path, name, part in self._walk(""):
            if name.startswith(".") and name.endswith(PART) and part.st_mtime < oldest:
                if not dry_run:
                    self._remove(path, name)
                found += Tally(1, part.st_size)
        return found

    def _remove(self, path: str, name: str) -> None:
        with suppress(ObjectNotFound), _translated(path + name), self._folder(path.split("/")[:-1]) as folder:
            os.unlink(name, dir_fd=folder)

    def sign(self, key: str, seconds: int, filename: str) -> str | None:
        return None

    def check(self) -> None:
        with _translated(str(self.root)), self._folder([]) as root:
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=root):
                raise StorageRefused(f"the folder {self.root} cannot be written to")

    @contextmanager
    def _lock(self, kind: int) -> Iterator[Callable[[], None]]:
        """Shared while a put makes folders, exclusive while empty ones are removed; gives a way to end it."""
        with self._folder([]) as root:
            fcntl.flock(root, kind)
            yield partial(fcntl.flock, root, fcntl.LOCK_UN)

    @contextmanager
    def _folder(self, folders: Sequence[str], *, create: bool = False) -> Iterator[int]:
        """Descriptor of a folder under the root, opened segment by segment."""
        try:
            here = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            kind = StorageRefused if error.errno in REFUSED else StorageUnavailable
            raise kind(f"the folder {self.root} is away: {error.strerror}") from error
        try:
            for name in folders:
                below = _enter(here, name, create)
                os.close(here)
                here = below
            yield here
        finally:
            os.close(here)

    def _open(self, key: str) -> BinaryIO:
        *folders, name = check_key(key).split("/")
        with self._folder(folders) as folder:
            file = os.fdopen(os.open(name, OLD_FILE, dir_fd=folder), "rb", buffering=0)
        if not modes.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise ObjectNotFound(f"no object {key}")
        return file

    def _walk(self, prefix: str) -> Iterator[tuple[str, str, os.stat_result]]:
        """(prefix, name, status) of each plain file below; leaves out what vanishes meanwhile."""
        time.sleep(0)  # under gevent this lets requests in between two folders
        folders = prefix[:-1].split("/") if prefix else []
        with suppress(ObjectNotFound), _translated(prefix), self._folder(folders) as folder:
            with os.scandir(folder) as entries:
                found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
            for name, is_folder in found:
                if is_folder:
                    yield from self._walk(f"{prefix}{name}/")
                elif (status := _status(folder, name)) and modes.S_ISREG(status.st_mode):
                    yield prefix, name, status

    def _prune(self, folders: Sequence[str]) -> None:
        """Remove the folder and its parents for as long as they are empty."""
        with self._lock(fcntl.LOCK_EX):
            for depth in range(len(folders), 0, -1):
                with self._folder(folders[: depth - 1]) as parent:
                    try:
                        os.rmdir(folders[depth - 1], dir_fd=parent)
                    except OSError as error:
                        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                            return
                        raise


class _Part:
    """A file on its way: filled under a name that nobody reads, made durable, then moved to its own name."""

    def __init__(self, folder: int, name: str, descriptor: int) -> None:
        self.folder = folder
        self.name = name
        self.descriptor = descriptor

    @classmethod
    def new(cls, folder: int, name: str) -> Self:
        part = f".{name}.{secrets.token_hex(8)}{PART}"
        return cls(folder, part, os.open(part, NEW_FILE, 0o600, dir_fd=folder))

    def fill(self, chunks: Iterable[bytes]) -> tuple[int, str]:
        """Write and fsync: (bytes, sha256 as hex)."""
        size, digest = 0, sha256()
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            _write_all(self.descriptor, chunk)
        os.fsync(self.descriptor)
        return size, digest.hexdigest()

    def move_to(self, name: str) -> None:
        os.rename(self.name, name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        os.fsync(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.descriptor)
        if error is not None:
            with suppress(OSError):  # the first error is the one to tell; a part left behind is swept later
                os.unlink(self.name, dir_fd=self.folder)


class _FileReader:
    """At most `left` bytes of a file from where it stands; None: all of them."""

    def __init__(self, key: str, file: BinaryIO, left: int | None) -> None:
        self.key = key
        self.file = file
        self.left = left

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        wanted = CHUNK_BYTES if self.left is None else min(CHUNK_BYTES, self.left)
        with _translated(self.key):
            chunk = self.file.read(wanted) if wanted else b""
        if not chunk:
            self.close()
            raise StopIteration
        if self.left is not None:
            self.left -= len(chunk)
        return chunk

    def close(self) -> None:
        self.left = 0
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _enter(parent: int, name: str, create: bool) -> int:
    """Descriptor of the folder `name` in `parent`; made, and made durable, if asked."""
    if create:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent)
        os.fsync(parent)  # also when it was there: its maker may not have come so far yet
    return os.open(name, DIRECTORY, dir_fd=parent)


def _write_all(descriptor: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextmanager
def _opened(source: Path | bytes) -> Iterator[Iterable[bytes]]:
    """The source in chunks. A source that cannot be opened is the caller's error, so it is not translated."""
    if isinstance(source, bytes):
        yield (source,)
        return
    with source.open("rb") as file:
        yield iter(partial(file.read, CHUNK_BYTES), b"")


def _note_media_type(folder: int, name: str, media_type: str) -> None:
    """Keep a media type that the name does not tell. It is in place before the object is seen."""
    note = f".{name}{TYPE}"
    if media_type == _told_by(name):
        with suppress(FileNotFoundError):
            os.unlink(note, dir_fd=folder)
        return
    with _Part.new(folder, name) as part:
        part.fill((media_type.encode(),))
        part.move_to(note)


def _media_type(folder: int, name: str) -> str:
    try:
        descriptor = os.open(f".{name}{TYPE}", OLD_FILE, dir_fd=folder)
    except FileNotFoundError:
        return _told_by(name)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(256).decode()


def _told_by(name: str) -> str:
    return MEDIA_TYPES.get(os.path.splitext(name)[1], UNKNOWN)


def _unlink(folder: int, name: str) -> None:
    for victim in (name, f".{name}{TYPE}"):
        with suppress(FileNotFoundError):
            os.unlink(victim, dir_fd=folder)


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Errors of the file system as ours."""
    try:
        yield
    except OSError as error:
        raise _translation(error, what) from error


def _translation(error: OSError, what: str) -> InfraError:
    if error.errno == errno.ENOENT:
        return ObjectNotFound(f"no object {what}")
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFull(f"no room in the storage folder: {error.strerror}")
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR):
        return BadKey(f"{what}: a symbolic link, a file or a folder is in the way")
    kind = StorageRefused if error.errno in REFUSED else StorageUnavailable
    return kind(f"the storage folder failed: {error.strerror}")
