"""Why this worker takes no jobs although it lives. Its heartbeats tell it, and so `/v1/workers` shows it."""

import threading
import time

from infra.errors import InfraError, ObjectNotFound, StorageUnavailable
from infra.logs import get_logger
from infra.storage import Storage
from infra.storage.keys import probe_key

log = get_logger()

ENGINE = "The engine does not start."
STORAGE = "The object storage refuses what this worker stores or reads."


class Trouble:
    """All that is wrong now; the sentences are for whoever may see the workers, so they name no addresses."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Empty when all is well."""
        return " ".join(self._found)

    def note(self, sentence: str) -> None:
        with self._lock:
            if sentence not in self._found:
                self._found = (*self._found, sentence)

    def clear(self, sentence: str) -> None:
        with self._lock:
            self._found = tuple(each for each in self._found if each != sentence)


class StorageWatch:
    """Keeps the worker from claiming once the storage has refused for good (no bucket, no rights): every job
    would run in vain. Looks again every `seconds`, by storing, reading and removing a small object.

    `lets_work` is for the work loop's thread only.
    """

    def __init__(self, storage: Storage, worker_id: str, trouble: Trouble, seconds: float) -> None:
        self._storage = storage
        self._key = probe_key(worker_id)
        self._trouble = trouble
        self._seconds = seconds
        self._look_at: float | None = None
        """When to look again; None while nothing is wrong."""

    def refused(self) -> None:
        """An attempt has met that: no more jobs from now on."""
        self._trouble.note(STORAGE)
        self._look_at = time.monotonic() + self._seconds
        log.error("This worker takes no jobs until the storage takes its objects", action="worker.obstructed")

    def lets_work(self) -> bool:
        """Whether the storage is as it should be, as far as is known."""
        if self._look_at is None:
            return True
        if time.monotonic() < self._look_at:
            return False
        try:
            self._probe()
        except InfraError as error:
            self._look_at = time.monotonic() + self._seconds
            log.warning("The storage still refuses", action="worker.still_obstructed", error=str(error))
            return False
        self._look_at = None
        self._trouble.clear(STORAGE)
        log.info("The storage takes objects again", action="worker.unobstructed")
        return True

    def _probe(self) -> None:
        data = self._key.encode()
        self._storage.put(self._key, data, "text/plain; charset=utf-8")
        try:
            found = self._storage.read(self._key)
        except ObjectNotFound:
            found = b""
        if found != data:
            raise StorageUnavailable("what was stored is not what is read")
        self._storage.delete(self._key)
