"""Calls about many jobs: cancel, retry and list, of one owner or of all.

A call works for a bounded time and answers with a cursor if there is more: whoever wants all of it calls
again until there is none. What was done stays done, so a call that is repeated after a lost answer is safe.
"""

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import cast

import redis

from infra.connections import translate
from infra.errors import JobNotFound, OwnerLimit, SystemFull
from infra.jobs.answers import Filters, Page
from infra.jobs.codec import read_job
from infra.jobs.queue import JobQueue
from infra.jobs.record import Job, Status
from infra.jobs.scripts import PREFIX

CAN_BE_RETRIED = (Status.FAILED, Status.CANCELLED)

CHUNK = 100
"""Jobs that are looked at in one round trip."""

HEADS = 10
"""Jobs that are fetched of each owner at first: a page needs few of any, when there are many owners."""

SECONDS = 1.0
"""How long one call goes on. The API answers every call within three seconds."""

SCANNED_MOST = 1000
"""Jobs that are looked at for one page, however few match."""

Entry = tuple[int, str]
"""(sequence number, job id): all jobs in the order in which they were accepted."""

Repeat = Callable[[Job, str], bool]
"""Enqueues a job again, as a new one with this id; False when what it needs is gone."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What one call has done."""

    count: int
    """Jobs that it has changed, or made."""
    next_cursor: str | None
    """Give it to the next call; None when all jobs have been looked at."""


class Bulk:
    """Works on the jobs of `owners`, as many of them as it is given."""

    def __init__(self, state: redis.Redis, queue: JobQueue, *, seconds: float = SECONDS) -> None:
        self._state = state
        self._queue = queue
        self._seconds = seconds

    def cancel(self, owners: Sequence[str], filters: Filters, cursor: str | None = None) -> Swept:
        """Cancel what is not final and matches. A ValueError for a cursor that no call gave."""
        ends = time.monotonic() + self._seconds
        count = 0
        for owner, entries in self._oldest_first("live", owners, cursor):
            count += self._queue.cancel_some(owner, [job_id for _, job_id in entries], filters)
            if time.monotonic() >= ends:
                return Swept(count, _cursor(owner, entries[-1]))
        return Swept(count, None)

    def retry(
        self,
        owners: Sequence[str],
        filters: Filters,
        cursor: str | None = None,
        repeat: Repeat | None = None,
    ) -> Swept:
        """Retry each failed or cancelled job that matches and was not retried yet, once: by `repeat`, if
        their inputs need care, else by JobQueue.retry.

        Owners at their limit are passed over; OwnerLimit when that leaves nothing. SystemFull when there is
        no room for a single one. A ValueError for a cursor that no call gave.
        """
        ends = time.monotonic() + self._seconds
        count, refused, limited = 0, None, set[str]()
        for owner, entries in self._oldest_first("jobs", owners, cursor):
            for entry, record in zip(entries, self._records(entries), strict=True):
                if owner not in limited and _matches(record, filters) and _can_be_retried(record):
                    try:
                        count += self._retry_once(read_job(record), repeat or self._repeat)
                    except OwnerLimit as error:
                        limited.add(owner)
                        refused = error
                    except SystemFull:
                        if not count:
                            raise
                        return Swept(count, _cursor(owner, (entry[0] - 1, entry[1])))
                if time.monotonic() >= ends:
                    return Swept(count, _cursor(owner, entry))
        if refused and not count:
            raise refused
        return Swept(count, None)

    def page(
        self, owners: Sequence[str], filters: Filters, cursor: str | None = None, limit: int = 20
    ) -> Page:
        """Jobs of these owners, newest first, as the state server holds them; see JobQueue.list."""
        before = None if cursor is None else _number(cursor)
        found: list[Job] = []
        last = scanned = 0
        newest = self._newest_first(owners, before)
        while entries := list(islice(newest, CHUNK)):
            for (sequence, _), record in zip(entries, self._records(entries), strict=True):
                if len(found) == limit:
                    return Page(tuple(found), str(last))
                if _matches(record, filters):
                    found.append(read_job(record))
                last = sequence
            scanned += len(entries)
            if scanned >= SCANNED_MOST:
                return Page(tuple(found), str(last))
        return Page(tuple(found), None)

    def _retry_once(self, job: Job, repeat: Repeat) -> bool:
        try:
            return repeat(job, _repetition_of(job.id))
        except JobNotFound:  # deleted since it was looked at
            return False

    def _repeat(self, job: Job, new_id: str) -> bool:
        self._queue.retry(job.id, job.owner, new_id)
        return True

    def _oldest_first(
        self, name: str, owners: Sequence[str], cursor: str | None
    ) -> Iterator[tuple[str, list[Entry]]]:
        """Chunks of each owner's jobs in this set, owner by owner."""
        first, after = ("", 0) if cursor is None else _read_cursor(cursor)
        for owner in sorted(owners):
            if owner < first:
                continue
            low = f"({after}" if owner == first else "-inf"
            while entries := self._range(f"{PREFIX}{name}:{owner}", low):
                yield owner, entries
                low = f"({entries[-1][0]}"

    @translate()
    def _range(self, key: str, low: str) -> list[Entry]:
        return _entries(self._state.zrangebyscore(key, low, "+inf", start=0, num=CHUNK, withscores=True))

    def _newest_first(self, owners: Sequence[str], before: int | None) -> Iterator[Entry]:
        lines = [self._newest_of(owner, first) for owner, first in self._heads(owners, before)]
        return heapq.merge(*lines, reverse=True)

    @translate()
    def _heads(self, owners: Sequence[str], before: int | None) -> list[tuple[str, list[Entry]]]:
        """The newest few of every owner, in one round trip."""
        pipe = self._state.pipeline(transaction=False)
        for owner in owners:
            pipe.zrevrangebyscore(_jobs(owner), _below(before), "-inf", start=0, num=HEADS, withscores=True)
        return [(owner, _entries(rows)) for owner, rows in zip(owners, pipe.execute(), strict=True)]

    def _newest_of(self, owner: str, entries: list[Entry]) -> Iterator[Entry]:
        while entries:
            yield from entries
            entries = self._next_of(owner, entries[-1][0]) if len(entries) >= HEADS else []

    @translate()
    def _next_of(self, owner: str, before: int) -> list[Entry]:
        rows = self._state.zrevrangebyscore(
            _jobs(owner), _below(before), "-inf", start=0, num=CHUNK, withscores=True
        )
        return _entries(rows)

    @translate()
    def _records(self, entries: Sequence[Entry]) -> list[dict[str, str]]:
        """Their records; empty for one that has left the state server."""
        pipe = self._state.pipeline(transaction=False)
        for _, job_id in entries:
            pipe.hgetall(f"{PREFIX}j:{job_id}")
        return cast(list[dict[str, str]], pipe.execute())


def _jobs(owner: str) -> str:
    return f"{PREFIX}jobs:{owner}"


def _below(before: int | None) -> str:
    return "+inf" if before is None else f"({before}"


def _entries(rows: object) -> list[Entry]:
    return [(int(score), job_id) for job_id, score in cast(Iterable[tuple[str, float]], rows)]


def _can_be_retried(record: Mapping[str, str]) -> bool:
    return record["status"] in CAN_BE_RETRIED and not record.get("retried_as")


def _matches(record: Mapping[str, str], filters: Filters) -> bool:
    """Whether there is a record that is meant; reading all of it costs more than this."""
    if not record or record.get("delete_requested_at"):
        return False
    return all(record[name] == value for name, value in filters.as_arguments().items())


def _repetition_of(job_id: str) -> str:
    """Always the same id, so that two calls at the same moment repeat a job once."""
    return f"job_{sha256(job_id.encode()).hexdigest()[:24]}"


def _cursor(owner: str, entry: Entry) -> str:
    return f"{owner}:{entry[0]}"


def _read_cursor(cursor: str) -> tuple[str, int]:
    owner, _, sequence = cursor.partition(":")
    return owner, _number(sequence)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 17):
        raise ValueError("the cursor is not one that a page gave")
    return int(text)
