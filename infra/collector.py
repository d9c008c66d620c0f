"""The collector: removes what nobody may read any more, and measures what the home folder holds.

Objects go first, the record last, so that a collector that dies in between leaves something that the next one
finds again. Everything here may run in any number of processes at once: deleting twice is no error.
"""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from infra.crash_points import CrashPoint, crash_point
from infra.errors import JobNotFound, ObjectNotFound, Unavailable
from infra.jobs.queue import JobQueue
from infra.logs import get_logger
from infra.metrics import COLLECTED, HOME_BYTES
from infra.settings import Settings
from infra.storage import Storage
from infra.storage.keys import UPLOADS, job_prefix, upload_key
from infra.uploads import Uploads

BATCH = 100
DRY_RUN_LIMIT = 10_000  # a dry run cannot page: what it looks at stays where it is
LEFTOVER_SECONDS = 86400.0  # no attempt runs and no put takes as long as a day
COLLECT_EVERY_SECONDS = 60.0
SEARCH_EVERY_SECONDS = 6 * 3600.0  # reads every key of the storage

log = get_logger()


@dataclass(frozen=True)
class Collected:
    """What one collection removed, or would remove."""

    jobs: int = 0
    uploads: int = 0
    objects: int = 0
    """Stored objects of those jobs and uploads."""
    leftovers: int = 0
    """Objects of attempts that did not become a job's result, and what interrupted puts left."""


def collect(queue: JobQueue, uploads: Uploads, storage: Storage, *, dry_run: bool = False) -> Collected:
    """Remove jobs and uploads whose life is over. StateUnavailable, StorageUnavailable."""
    jobs, job_objects = _collect_jobs(queue, storage, dry_run)
    files = _collect_uploads(queue, uploads, storage, dry_run)
    return Collected(jobs=jobs, uploads=files, objects=job_objects + files)


def collect_leftovers(
    queue: JobQueue, storage: Storage, *, older_than_seconds: float = LEFTOVER_SECONDS, dry_run: bool = False
) -> Collected:
    """Remove old objects that no record names: of attempts that failed, and of jobs that are gone.

    Reads every key of the storage, so it is for quiet hours.
    """
    newest = (time.time() - older_than_seconds) * 1000
    leftovers = 0
    for (owner, job_id, attempt_id), keys in groupby(_attempt_keys(storage), key=_attempt_of):
        if _is_needed(queue, owner, job_id, attempt_id):
            continue
        leftovers += sum(_remove_old(storage, key, newest, dry_run) for key in keys)
    if not dry_run:
        leftovers += storage.sweep(older_than_seconds)
        COLLECTED.inc(leftovers, what="leftovers")
    return Collected(leftovers=leftovers)


def usage_bytes(settings: Settings) -> int:
    """Bytes of artifacts and records in the home folder. Walks it, so ask seldom."""
    places = settings.places
    used = sum(_tree_bytes(folder) for folder in (places.artifacts, places.state))
    HOME_BYTES.set(used)
    return used


class Collector:
    """A thread that collects now and then until stopped. Survives services that are away."""

    def __init__(self, queue: JobQueue, uploads: Uploads, storage: Storage) -> None:
        self._queue = queue
        self._uploads = uploads
        self._storage = storage
        self._searched_at = time.monotonic()  # the first search waits: a start should be quick
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the collection at hand is over."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(COLLECT_EVERY_SECONDS):
            try:
                self._collect()
            except Unavailable as error:
                log.warning("The collector has to wait", action="collector.failed", error=str(error))

    def _collect(self) -> None:
        _tell(collect(self._queue, self._uploads, self._storage))
        if time.monotonic() - self._searched_at > SEARCH_EVERY_SECONDS:
            self._searched_at = time.monotonic()
            _tell(collect_leftovers(self._queue, self._storage))


def _tell(collected: Collected) -> None:
    if collected != Collected():
        log.info("Collected what was due", action="collector.collected", **vars(collected))


def _collect_jobs(queue: JobQueue, storage: Storage, dry_run: bool) -> tuple[int, int]:
    """(jobs, objects) removed."""
    jobs = objects = 0
    while due := queue.expired(DRY_RUN_LIMIT if dry_run else BATCH):
        for job in due:
            prefix = job_prefix(job.owner, job.id)
            objects += sum(1 for _ in storage.list(prefix)) if dry_run else storage.delete_prefix(prefix)
        if dry_run:
            return len(due), objects
        crash_point(CrashPoint.JOB_OBJECTS_DELETED)
        forgotten = sum(queue.forget(job.id) for job in due)
        COLLECTED.inc(forgotten, what="jobs")
        jobs += forgotten
        if not forgotten:  # another collector is at the same ones
            break
    return jobs, objects


def _collect_uploads(queue: JobQueue, uploads: Uploads, storage: Storage, dry_run: bool) -> int:
    due = uploads.due(queue, DRY_RUN_LIMIT if dry_run else BATCH)
    if dry_run:
        return len(due)
    for upload in due:
        storage.delete(upload_key(upload.owner, upload.id))
        crash_point(CrashPoint.UPLOAD_OBJECT_DELETED)
        uploads.forget(upload)
    COLLECTED.inc(len(due), what="uploads")
    return len(due)


def _attempt_keys(storage: Storage) -> Iterator[str]:
    """Keys of artifacts and manifests, those of one attempt after each other."""
    keys = (key for key in storage.list() if key.count("/") == 3 and f"/{UPLOADS}/" not in key)
    return iter(sorted(keys))


def _attempt_of(key: str) -> tuple[str, str, str]:
    owner, job_id, attempt_id, _ = key.split("/")
    return owner, job_id, attempt_id


def _is_needed(queue: JobQueue, owner: str, job_id: str, attempt_id: str) -> bool:
    """Whether the job is there and this attempt made its result, or may still do so."""
    try:
        job = queue.get(job_id)
    except JobNotFound:
        return False
    if job.owner != owner:
        return False
    return not job.status.final or f"/{attempt_id}/" in (job.manifest or "")


def _remove_old(storage: Storage, key: str, newest_ms: float, dry_run: bool) -> bool:
    try:
        if storage.stat(key).modified_ms > newest_ms:
            return False
    except ObjectNotFound:  # another collector was first
        return False
    if not dry_run:
        storage.delete(key)
    return True


def _tree_bytes(folder: Path) -> int:
    """Bytes of the files below; what vanishes meanwhile is not counted."""
    total = 0
    for where, _, names in os.walk(folder):
        time.sleep(0)  # under gevent this lets requests in between two folders
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_size
            except FileNotFoundError:
                continue
    return total
