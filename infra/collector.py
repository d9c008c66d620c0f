"""The collector: removes what nobody may read any more, archives old records, and measures the home folder.

Objects go first, the record last, so that a collector that dies in between leaves something that the next one
finds again. Everything here may run in any number of processes at once: deleting twice is no error.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.crash_points import CrashPoint, crash_point
from infra.errors import BadKey, StorageFull, StorageRefused, Unavailable
from infra.jobs.answers import Expired
from infra.jobs.queue import JobQueue
from infra.logs import get_logger
from infra.metrics import COLLECTED, HOME_BYTES, RECORDS_ARCHIVED
from infra.search import Found, search
from infra.settings import Settings
from infra.storage import NONE, Storage, Tally
from infra.storage.keys import job_prefix, upload_key
from infra.uploads import Upload, Uploads

BATCH = 100
DRY_RUN_LIMIT = 10_000  # a dry run cannot page: what it looks at stays where it is
COLLECT_EVERY_SECONDS = 60.0
SEARCH_EVERY_SECONDS = 6 * 3600.0  # reads every key of the storage
FIRST_SEARCH_SECONDS = 15 * 60.0  # a start should be quick; many a process does not live for hours
STUCK_MOST = BATCH  # whose objects cannot be removed; with more of them the rest waits for the next time

log = get_logger()


@dataclass(frozen=True)
class Collected:
    """What one collection removed, or would remove; bytes are those of the objects."""

    jobs: Tally = NONE
    """Jobs whose record was on the state server."""
    archived: Tally = NONE
    """Jobs whose record was in the storage."""
    uploads: Tally = NONE


def collect(queue: JobQueue, uploads: Uploads, storage: Storage, *, dry_run: bool = False) -> Collected:
    """Remove jobs and uploads whose life is over. StateUnavailable, StorageUnavailable."""
    limit = DRY_RUN_LIMIT if dry_run else BATCH
    jobs = archived = files = NONE
    for job, size in _jobs(queue, storage, limit, dry_run):
        jobs, archived = (jobs, archived + size) if job.archived else (jobs + size, archived)
    for size in _uploads(queue, uploads, storage, limit, dry_run):
        files += size
    return Collected(jobs, archived, files)


def archive(queue: JobQueue, older_than_seconds: float) -> int:
    """Move the records of jobs that ended so long ago to the storage. StorageFull, and as `collect`."""
    moved = 0
    while batch := queue.archive(older_than_seconds, BATCH):
        RECORDS_ARCHIVED.inc(batch)
        moved += batch
    return moved


def usage_bytes(settings: Settings) -> int:
    """Bytes of artifacts and records in the home folder. Walks it, so ask seldom."""
    places = settings.places
    used = sum(_tree_bytes(folder) for folder in (places.artifacts, places.state))
    HOME_BYTES.set(used)
    return used


class Collector:
    """A thread that collects now and then until stopped. Survives services that are away."""

    def __init__(
        self, queue: JobQueue, uploads: Uploads, storage: Storage, records_keep_seconds: float
    ) -> None:
        self._queue = queue
        self._uploads = uploads
        self._storage = storage
        self._records_keep_seconds = records_keep_seconds
        self._search_at = time.monotonic() + min(FIRST_SEARCH_SECONDS, SEARCH_EVERY_SECONDS)
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
            for step in (self._collect, self._archive, self._search):
                _take(step)

    def _collect(self) -> None:
        _tell(collect(self._queue, self._uploads, self._storage))

    def _archive(self) -> None:
        if moved := archive(self._queue, self._records_keep_seconds):
            log.info("Old records were archived", action="collector.archived", count=moved)

    def _search(self) -> None:
        if time.monotonic() > self._search_at:
            self._search_at = time.monotonic() + SEARCH_EVERY_SECONDS
            _tell(search(self._queue, self._uploads, self._storage))


def _take(step: Callable[[], None]) -> None:
    """What nobody foresaw must end neither the other steps nor the thread: the disk would fill unseen."""
    try:
        step()
    except (Unavailable, StorageFull) as error:
        log.warning("The collector has to wait", action="collector.failed", error=str(error))
    except Exception:
        log.exception("A step of the collector has failed", action="collector.broken")


def _tell(done: Collected | Found) -> None:
    counts = {what: tally.count for what, tally in vars(done).items() if isinstance(tally, Tally)}
    if any(counts.values()):
        log.info("Collected what was due", action="collector.collected", **counts)
    for what, count in counts.items():
        COLLECTED.inc(count, what=what)


def _jobs(queue: JobQueue, storage: Storage, limit: int, dry_run: bool) -> Iterator[tuple[Expired, Tally]]:
    """Each job that was removed, and its objects' bytes. One whose objects cannot be removed stays, and holds
    up no other."""
    stuck: set[str] = set()
    while due := [job for job in queue.expired(limit + len(stuck)) if job.id not in stuck]:
        removed = [(job, size) for job in due if (size := _remove_job(storage, job, dry_run)) is not None]
        if dry_run:
            yield from removed
            return
        crash_point(CrashPoint.JOB_OBJECTS_DELETED)
        forgotten = [queue.forget(job.id) for job, _ in removed]
        yield from (each for each, gone in zip(removed, forgotten, strict=True) if gone)
        stuck |= {job.id for job in due} - {job.id for job, _ in removed}
        elsewhere = removed and not any(forgotten)  # another collector is at the same ones
        if elsewhere or len(stuck) > STUCK_MOST:
            return


def _uploads(
    queue: JobQueue, uploads: Uploads, storage: Storage, limit: int, dry_run: bool
) -> Iterator[Tally]:
    """The bytes of each upload that was removed; as `_jobs`."""
    stuck: set[str] = set()
    while due := [each for each in uploads.due(queue, limit + len(stuck)) if each.id not in stuck]:
        for upload in due:
            size = _remove_upload(upload, uploads, storage, dry_run)
            if size is None:
                stuck.add(upload.id)
            else:
                yield size
        if dry_run or len(stuck) > STUCK_MOST:
            return


def _remove_job(storage: Storage, job: Expired, dry_run: bool) -> Tally | None:
    """One, with the bytes below its prefix; None where the storage does not let them go."""
    prefix = job_prefix(job.owner, job.id)
    if dry_run:
        return Tally(1, sum(entry.bytes for entry in storage.entries(prefix)))
    with _letting_stay(storage, job_id=job.id):
        return Tally(1, storage.delete_prefix(prefix).bytes)
    return None


def _remove_upload(upload: Upload, uploads: Uploads, storage: Storage, dry_run: bool) -> Tally | None:
    """The same for an upload and its record."""
    if dry_run:
        return Tally(1, upload.bytes)
    with _letting_stay(storage, upload_id=upload.id):
        storage.delete(upload_key(upload.owner, upload.id))
        crash_point(CrashPoint.UPLOAD_OBJECT_DELETED)
        uploads.forget(upload)
        return Tally(1, upload.bytes)
    return None


@contextmanager
def _letting_stay(storage: Storage, **which: str) -> Iterator[None]:
    """Log that the storage refuses to remove these; where it refuses everything, raise as it does."""
    try:
        yield
    except (StorageRefused, BadKey) as error:
        storage.check()
        log.warning("Objects cannot be removed", action="collector.stuck", error=str(error), **which)


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
