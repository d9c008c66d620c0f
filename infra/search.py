"""The search for what should not be there: objects that neither a record nor a `job.json` names.

It reads every key of the storage, so it is for quiet hours. A `job.json` counts for as much as a record: what
it names stays, also when the state server has lost everything, and its job is indexed again.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from infra.errors import JobNotFound
from infra.jobs.queue import JobQueue
from infra.jobs.record import Job
from infra.logs import get_logger
from infra.storage import NONE, Entry, Storage, Tally
from infra.storage.keys import RECORD, UPLOADS
from infra.uploads import Uploads

LEFTOVER_SECONDS = 86400.0  # no attempt runs and no put takes as long as a day
FEW = 10
"""So many jobs, or uploads, without any record may be the work of crashes. When there are more of them than
of known ones, the state server is rather another one, or has lost its data: nothing of them is removed."""

log = get_logger()


@dataclass(frozen=True)
class Found:
    """What one search removed, or would remove."""

    attempts: Tally = NONE
    """Objects of attempts that did not become the result of their job."""
    orphans: Tally = NONE
    """Objects of jobs and uploads that nothing names."""
    unfinished: Tally = NONE
    """What interrupted puts have left."""
    strangers: int = 0
    """Objects that look like orphans and were left alone, because there are too many of them."""
    adopted: int = 0
    """Archived jobs that the state server did not know, and knows now."""


def search(
    queue: JobQueue,
    uploads: Uploads,
    storage: Storage,
    *,
    older_than_seconds: float = LEFTOVER_SECONDS,
    dry_run: bool = False,
    strangers_too: bool = False,
) -> Found:
    """Remove old objects that nothing names. StateUnavailable, StorageUnavailable."""
    one = _Search(queue, uploads, (time.time() - older_than_seconds) * 1000, dry_run)
    for entries in _groups(storage.entries()):
        one.look_at(entries)
    found = replace(one.found, unfinished=storage.sweep(older_than_seconds, dry_run=dry_run))
    orphans = one.orphans
    if one.is_elsewhere and not strangers_too:
        log.warning("Most of the storage is unknown to the state server", action="collector.strangers")
        found, orphans = replace(found, strangers=len(orphans)), []
    if not dry_run:
        for entry in (*one.failed, *orphans):
            storage.delete(entry.key)
    return replace(found, attempts=_tally(one.failed), orphans=_tally(orphans))


class _Search:
    """What has been seen so far. Nothing is removed before all has been seen."""

    def __init__(self, queue: JobQueue, uploads: Uploads, newest_ms: float, dry_run: bool) -> None:
        self._queue = queue
        self._uploads = uploads
        self._newest_ms = newest_ms
        self._dry_run = dry_run
        self.found = Found()
        self.failed: list[Entry] = []
        self.orphans: list[Entry] = []
        self._jobs, self._files = Counter[bool](), Counter[bool]()  # whether they are known

    @property
    def is_elsewhere(self) -> bool:
        """Whether this is rather another state server's storage."""
        return any(seen[False] > max(FEW, seen[True]) for seen in (self._jobs, self._files))

    def look_at(self, entries: list[Entry]) -> None:
        """Objects with the same first two segments: those of one job, or one owner's uploads."""
        owner, second, *_ = entries[0].key.split("/")
        if second == UPLOADS:
            unknown = [each for each in entries if not self._uploads.exists(each.key.rpartition("/")[2])]
            old = self._old(unknown)
            self._files += Counter({True: len(entries) - len(unknown), False: len(old)})
            self.orphans += old
        else:
            self._look_at_job(owner, second, entries)

    def _look_at_job(self, owner: str, job_id: str, entries: list[Entry]) -> None:
        record = [entry for entry in entries if entry.key == f"{owner}/{job_id}/{RECORD}"]
        job = self._job(owner, job_id)
        if job is None and record:
            return  # a job.json that cannot be read: it may name any of these
        if job is None:
            old = self._old(entries)
            self.orphans += old
            self._jobs[False] += bool(old)
            return
        self._jobs[True] += 1
        if job.status.final:
            result = job.manifest.rpartition("/")[0] + "/" if job.manifest else None
            rest = [each for each in entries if each not in record]
            self.failed += self._old(each for each in rest if not (result and each.key.startswith(result)))

    def _job(self, owner: str, job_id: str) -> Job | None:
        try:
            job = self._queue.get(job_id)
        except JobNotFound:
            return self._archived(owner, job_id)
        return job if job.owner == owner else None

    def _archived(self, owner: str, job_id: str) -> Job | None:
        job = self._queue.archived(owner, job_id)
        if job is not None and not self._dry_run:
            adopted = self._queue.adopt(owner, job_id)
            self.found = replace(self.found, adopted=self.found.adopted + adopted)
        return job

    def _old(self, entries: Iterable[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry.modified_ms <= self._newest_ms]


def _groups(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Entries with the same first two segments; others than those of jobs and uploads are left out."""
    ours = sorted((entry for entry in entries if _is_ours(entry.key)), key=lambda entry: entry.key)
    for _, group in groupby(ours, key=lambda entry: entry.key.split("/")[:2]):
        yield list(group)


def _is_ours(key: str) -> bool:
    """Whether it is the key of an artifact, a manifest, a job.json or an upload."""
    _, second, *rest = [*key.split("/"), ""]
    if second == UPLOADS:
        return len(rest) == 2
    return len(rest) == 3 or rest[:1] == [RECORD]


def _tally(entries: Iterable[Entry]) -> Tally:
    return sum((Tally(1, entry.bytes) for entry in entries), NONE)
