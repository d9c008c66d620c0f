"""What happened to a job, to be read from any point on: the stream in the state server, or the record itself.

A job's stream begins with its first claim and is kept for a while after its end. Before, after, and for a
reader who has nothing yet or has missed trimmed events, the record stands in as one event, the snapshot.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import redis

from infra.connections import translate
from infra.errors import JobNotFound
from infra.jobs.codec import read_job
from infra.jobs.record import Job, Status
from infra.jobs.scripts import PREFIX

CHANNEL = PREFIX + "ev"
"""Every change of a record is announced here with the job's id, whether or not it made an event; that there
is a new one is not."""


class EventType(StrEnum):
    """Past facts. The data of each has `version` and `status` of the record at that time."""

    QUEUED = "job.queued"
    """It waits to run: for the first time, or again after an attempt without a result."""
    STARTED = "job.started"
    """An attempt has begun; data: attempt (its number), worker."""
    PROGRESSED = "job.progressed"
    """Data: progress, as of the last heartbeat. Finer progress goes through Live."""
    OUTPUT = "job.output"
    """A piece of streamed text; data: attempt (its id), index, offset, delta. May be told twice."""
    SUCCEEDED = "job.succeeded"
    FAILED = "job.failed"
    CANCELLED = "job.cancelled"


SNAPSHOTS = {
    Status.QUEUED: EventType.QUEUED,
    Status.RUNNING: EventType.STARTED,
    Status.SUCCEEDED: EventType.SUCCEEDED,
    Status.FAILED: EventType.FAILED,
    Status.CANCELLED: EventType.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `id` is where to read on after it."""

    id: str
    """Of the stream, such as `1763972856000-0`; `0-VERSION` for a snapshot of a job that has no stream."""
    type: str
    """One of EventType."""
    data: dict[str, Any]


class Events:
    """Reads the events of jobs."""

    def __init__(self, state: redis.Redis) -> None:
        self._state = state

    @translate()
    def read(self, job_id: str, after: str | None = None) -> list[Event]:
        """The events after the one with id `after`; from None on, a snapshot and what it does not tell.

        Ids that this class never gave are read as None. JobNotFound when there is no such job.
        """
        fields, stream = self._record_and_stream(job_id, after)
        if not fields:
            raise JobNotFound
        job = read_job(fields)
        if not stream.exists:
            return _from_record(job, after)
        if stream.missed:
            return _from_start(job, self._record_and_stream(job_id, None)[1].events)
        return stream.events

    def read_of(self, job: Job, after: str | None = None) -> list[Event]:
        """The same for a job whose record may have left the state server: then that record tells it all."""
        try:
            return self.read(job.id, after)
        except JobNotFound:
            return _from_record(job, after)

    def _record_and_stream(self, job_id: str, after: str | None) -> "tuple[dict[str, str], _Stream]":
        """Both as of one moment."""
        key = f"{PREFIX}ev:{job_id}"
        start = f"({after}" if _is_id(after) else "-"
        pipe = self._state.pipeline()
        pipe.hgetall(f"{PREFIX}j:{job_id}")
        pipe.xrange(key, count=1)
        pipe.xrange(key, min=start)
        fields, first, entries = pipe.execute()
        return fields, _Stream(
            exists=bool(first),
            missed=not _is_id(after)
            or (bool(first) and _is_before(after, first[0][0]) and not _whole(first[0])),
            events=[_event(entry) for entry in entries],
        )


@dataclass(frozen=True, slots=True)
class _Stream:
    exists: bool
    missed: bool
    """Events after the reader's place were trimmed, or the reader has no place."""
    events: list[Event]


def _event(entry: tuple[str, dict[str, str]]) -> Event:
    entry_id, fields = entry
    return Event(entry_id, fields["type"], json.loads(fields["data"]))


def _whole(first: tuple[str, dict[str, str]]) -> bool:
    """A stream that was never trimmed begins with the start of attempt 1."""
    event = _event(first)
    return event.type == EventType.STARTED and event.data["attempt"] == 1


def _is_id(text: str | None) -> bool:
    left, separator, right = (text or "").partition("-")
    return bool(separator) and _is_number(left) and _is_number(right)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 20 and int(text) < 2**64


def _is_before(one: str | None, other: str) -> bool:
    return _parts(one or "0-0") < _parts(other)


def _parts(entry_id: str) -> tuple[int, int]:
    left, _, right = entry_id.partition("-")
    return int(left), int(right)


def _from_record(job: Job, after: str | None) -> list[Event]:
    here = f"0-{job.version}"
    return [] if after == here else [snapshot(job, here)]


def _from_start(job: Job, events: Sequence[Event]) -> list[Event]:
    """For a reader without a place: the text of the last attempt, and the snapshot where it belongs.

    That is before the text while the job runs, and after it when it has ended. Then follows what the stream
    tells beyond the record, which was read before it.
    """
    newer = [event for event in events if event.data["version"] > job.version]
    known = [event for event in events if event.data["version"] <= job.version]
    text = [
        event for event in known if event.type == EventType.OUTPUT and event.data["attempt"] == job.attempt_id
    ]
    last = known[-1].id if known else f"0-{job.version}"
    if job.status is Status.RUNNING and text:
        starts = (event.id for event in reversed(known) if event.type == EventType.STARTED)
        begun = next(starts, f"0-{job.version}")  # trimmed, where an attempt has written very much
        return [snapshot(job, begun), *text, *newer]
    return [*text, snapshot(job, last), *newer]


def snapshot(job: Job, event_id: str) -> Event:
    """The record as one event."""
    data: dict[str, Any] = {"version": job.version, "status": job.status.value}
    if job.attempts:
        data |= {"attempt": job.attempts[-1].number, "worker": job.attempts[-1].worker}
    if job.progress:
        data["progress"] = job.progress
    return Event(event_id, SNAPSHOTS[job.status], data)
