"""A storage whose calls are timed and whose failures are counted; otherwise the one inside."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.errors import InfraError, ObjectNotFound
from infra.metrics import STORAGE_FAILURES, STORAGE_SECONDS
from infra.storage.base import Entry, Reader, Stat, Storage, Stored, Tally


class MeasuredStorage:
    """Counts each call as `backend` and `operation`; the time of an `open` is that to its first byte."""

    def __init__(self, storage: Storage, backend: str) -> None:
        self._storage = storage
        self._backend = backend

    def put(self, key: str, source: Path | bytes, media_type: str) -> Stored:
        with self._measured("put"):
            return self._storage.put(key, source, media_type)

    def open(self, key: str, start: int = 0, end: int | None = None) -> Reader:
        with self._measured("open"):
            return self._storage.open(key, start, end)

    def read(self, key: str) -> bytes:
        with self._measured("read"):
            return self._storage.read(key)

    def stat(self, key: str) -> Stat:
        with self._measured("stat"):
            return self._storage.stat(key)

    def list(self, prefix: str = "") -> Iterator[str]:
        return self._storage.list(prefix)  # not timed: the reader's own pace would count

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        return self._storage.entries(prefix)

    def delete(self, key: str) -> None:
        with self._measured("delete"):
            self._storage.delete(key)

    def delete_prefix(self, prefix: str) -> Tally:
        with self._measured("delete"):
            return self._storage.delete_prefix(prefix)

    def sweep(self, older_than_seconds: float, *, dry_run: bool = False) -> Tally:
        with self._measured("sweep"):
            return self._storage.sweep(older_than_seconds, dry_run=dry_run)

    def sign(self, key: str, seconds: int, filename: str) -> str | None:
        return self._storage.sign(key, seconds, filename)  # talks to nobody

    def check(self) -> None:
        with self._measured("check"):
            self._storage.check()

    @contextmanager
    def _measured(self, operation: str) -> Iterator[None]:
        try:
            with STORAGE_SECONDS.time(backend=self._backend, operation=operation):
                yield
        except ObjectNotFound:  # an answer, not a failure
            raise
        except InfraError as error:
            STORAGE_FAILURES.inc(backend=self._backend, operation=operation, error=type(error).__name__)
            raise
