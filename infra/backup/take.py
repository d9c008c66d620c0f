"""Taking a backup while everything runs.

Jobs are those accepted before one moment, the cut: a sequence number of the state server. Each record is read
by itself, the newest job first, so whoever has seen others end is read before them: no record tells of an end
that another does not know of. What a record's place follows from (queues, counters, leases) is not read at
all; the restore makes it anew.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

import redis

from infra.backup.families import COPIED
from infra.backup.file import FORMAT, Writer, new_file
from infra.connections import translate
from infra.jobs.archived import RANK
from infra.jobs.record import SCHEMA, Status
from infra.jobs.scripts import PREFIX
from infra.jobs.survey import server_time

CHUNK = 200  # records of one round trip: some hundred KB
TOTALS = ("succeeded", "failed", "cancelled", "device_seconds")
"""What a queue counts for ever, and what no record tells once its job has gone."""

Progress = Callable[[str, int], None]
"""Called now and then with what is being read, and how many there were so far."""

T = TypeVar("T")


def tell_nobody(what: str, count: int) -> None:
    """For callers that show no progress."""


@translate()
def take(state: redis.Redis, path: Path, progress: Progress = tell_nobody) -> dict[str, int]:
    """Write a backup to a new file; how many there were of each kind. StateUnavailable, BadBackup."""
    with new_file(path) as writer:
        one = _Backup(state, writer, progress)
        one.take()
    return one.counts


class _Backup:
    def __init__(self, state: redis.Redis, writer: Writer, progress: Progress) -> None:
        self._state = state
        self._writer = writer
        self._progress = progress
        self.counts: dict[str, int] = {}
        self._final: set[str] = set()
        self._live: set[str] = set()

    def take(self) -> None:
        cut = self._head()
        for job_id in cast(set[str], self._state.smembers(f"{PREFIX}hooked")):
            self._write("hooked", job=job_id)
        self._jobs(cut)
        self._archived()
        self._messages()
        self._uploads()
        self._idempotency()
        self._copied()

    def _write(self, kind: str, **fields: Any) -> None:
        self._writer.write(kind, **fields)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] % CHUNK == 0:
            self._progress(kind, self.counts[kind])

    def _head(self) -> int:
        """The cut, and with it each queue's totals of the same moment."""
        queues = sorted(cast(set[str], self._state.smembers(f"{PREFIX}queues")))
        pipe = self._state.pipeline(transaction=True)
        pipe.get(f"{PREFIX}sequence")
        for queue in queues:
            pipe.hmget(f"{PREFIX}queue:{queue}", *TOTALS)
        sequence, *totals = pipe.execute()
        cut = int(sequence or 0)
        self._writer.write(
            "backup", format=FORMAT, schema=SCHEMA, sequence=cut, made_at=server_time(self._state)
        )
        for queue, values in zip(queues, totals, strict=True):
            self._write("queue", name=queue, totals=_given(TOTALS, values))
        return cut

    def _jobs(self, cut: int) -> None:
        for ids in chunks(self._ids(cut)):
            for record in self._hashes(f"{PREFIX}j:{job_id}" for job_id in ids):
                if record:  # else deleted, or archived, a moment ago
                    final = Status(record["status"]).final
                    (self._final if final else self._live).add(record["id"])
                    self._write("job", record=record)

    def _ids(self, cut: int) -> list[str]:
        """Of the jobs up to the cut, newest first."""
        found: set[tuple[int, str]] = set()  # a scan may tell some twice
        for keys in chunks(self._scan("j:")):
            pipe = self._state.pipeline(transaction=False)
            for key in keys:
                pipe.hget(key, "score")
            for key, score in zip(keys, pipe.execute(), strict=True):
                if score and int(score) % RANK <= cut:
                    found.add((int(score) % RANK, key.removeprefix(f"{PREFIX}j:")))
        return [job_id for _, job_id in sorted(found, reverse=True)]

    def _archived(self) -> None:
        entries = self._state.hscan_iter(f"{PREFIX}archived", count=CHUNK)
        for chunk in chunks((job_id, json.loads(text)) for job_id, text in entries):
            pipe = self._state.pipeline(transaction=False)
            for job_id, known in chunk:
                pipe.zscore(f"{PREFIX}jobs:{known['owner']}", job_id)
                pipe.zscore(f"{PREFIX}expiring", job_id)
            scores = iter(pipe.execute())
            for (job_id, known), sequence, expires_at in zip(chunk, scores, scores, strict=True):
                if job_id not in self._final and expires_at is not None:
                    self._final.add(job_id)
                    self._write(
                        "archived", job={**known, "id": job_id}, sequence=sequence or 0, expires_at=expires_at
                    )

    def _messages(self) -> None:
        """Of jobs that have ended as far as this backup knows."""
        for keys in chunks(self._scan("outbox:msg_")):
            pipe = self._state.pipeline(transaction=False)
            for key in keys:
                pipe.hgetall(key)
                pipe.pttl(key)
            found = iter(pipe.execute())
            for message, life in zip(found, found, strict=True):
                if message.get("job") in self._final:
                    self._write("message", fields=message, life_ms=_life(life))

    def _uploads(self) -> None:
        for keys in chunks(self._scan("upload:upl_")):
            records = [key for key in keys if key.count(":") == PREFIX.count(":") + 1]
            pipe = self._state.pipeline(transaction=False)
            for key in records:
                pipe.get(key)
                pipe.smembers(f"{key}:jobs")
                pipe.zscore(f"{PREFIX}uploads:due", key.rpartition(":")[2])
            found = iter(pipe.execute())
            for text, jobs, due in zip(found, found, found, strict=True):
                if text and due is not None:
                    self._write("upload", record=json.loads(text), jobs=sorted(jobs), due=due)

    def _idempotency(self) -> None:
        """Those whose jobs are in this backup, or were gone before. Others' clients send their jobs again."""
        for keys in chunks(self._scan("idem:")):
            pipe = self._state.pipeline(transaction=False)
            for key in keys:
                pipe.hgetall(key)
                pipe.pttl(key)
            found = iter(pipe.execute())
            for key, fields, life in zip(keys, found, found, strict=True):
                if fields and all(self._is_kept(job_id) for job_id in json.loads(fields["ids"])):
                    self._write(
                        "idempotency", name=key.removeprefix(PREFIX), fields=fields, life_ms=_life(life)
                    )

    def _is_kept(self, job_id: str) -> bool:
        return job_id in self._final or job_id in self._live or not self._state.exists(f"{PREFIX}j:{job_id}")

    def _copied(self) -> None:
        for family in COPIED:
            names = self._scan(family) if family.endswith(":") else [f"{PREFIX}{family}"]
            for key in names:
                if (value := self._value(key)) is not None:
                    self._write("copied", name=key.removeprefix(PREFIX), **value)

    def _value(self, key: str) -> dict[str, Any] | None:
        match self._state.type(key):
            case "hash":
                fields = cast(dict[str, str], self._state.hgetall(key))
                return {"hash": {name: text for name, text in fields.items() if not _is_of_a_worker(name)}}
            case "set":
                return {"set": sorted(cast(set[str], self._state.smembers(key)))}
            case "zset":
                return {"zset": self._state.zrange(key, 0, -1, withscores=True)}
        return None

    def _scan(self, family: str) -> Iterator[str]:
        return cast(Iterator[str], self._state.scan_iter(f"{PREFIX}{family}*", count=1000))

    def _hashes(self, keys: Iterable[str]) -> list[dict[str, str]]:
        pipe = self._state.pipeline(transaction=False)
        for key in keys:
            pipe.hgetall(key)
        return cast(list[dict[str, str]], pipe.execute())


def chunks(items: Iterable[T]) -> Iterator[list[T]]:
    """Pieces that one round trip can take."""
    iterator = iter(items)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _given(names: Sequence[str], values: Sequence[str | None]) -> Mapping[str, str]:
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def _is_of_a_worker(name: str) -> bool:
    """Of the hash `paused`: a worker's id is a new one after each start."""
    return name.startswith("worker:")


def _life(pttl: int) -> int | None:
    """How long a key still lives; None for ever."""
    return pttl if pttl >= 0 else None
