"""Restoring a backup into an empty state server.

First everything is written that stands by itself, each record without a place. Then every job, the oldest
first, is given its place by a script (`restore.lua`): one that ran is queued again, without counting. A job
can be claimed from then on, so workers and API may be there already, though nobody needs them to be.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import redis

from infra.backup.errors import BadBackup, NotEmpty
from infra.backup.families import HARMLESS, is_of
from infra.backup.file import Line, check, lines
from infra.backup.take import CHUNK, Progress, chunks, tell_nobody
from infra.connections import translate
from infra.jobs.answers import Limits
from infra.jobs.archived import RANK
from infra.jobs.codec import dump
from infra.jobs.record import SCHEMA
from infra.jobs.scripts import PREFIX, Scripts

Pipeline = Any  # redis-py's own class is generic in ways that nobody here cares for
PENDING = "pending"


def restore(
    state: redis.Redis, limits: Limits, path: Path, progress: Progress = tell_nobody
) -> dict[str, int]:
    """Put a backup into an empty state server; how many there were of each kind.

    BadBackup, NotEmpty: nothing was changed. StateUnavailable: it has a part; empty it and begin again.
    """
    header = check(path)
    if header["schema"] > SCHEMA:
        raise BadBackup(f"{path} was made by a newer version of Atelier; restore it with that one.")
    with translate():
        _refuse_unless_empty(state)
        state.set(f"{PREFIX}sequence", header["sequence"])
        one = _Restore(state, Scripts(state, limits, "fast"), progress)
        one.write(lines(path))
        one.place(header["made_at"])
    return one.counts


def _refuse_unless_empty(state: redis.Redis) -> None:
    for key in cast(Iterator[str], state.scan_iter(f"{PREFIX}*", count=1000)):
        name = key.removeprefix(PREFIX)
        if not any(is_of(name, family) for family in HARMLESS):
            raise NotEmpty(
                f"The state server is not empty: it has `{name}`. A backup is restored into an empty one, so"
                " that no job is doubled. Take a new server, or a new ATELIER_HOME."
            )


class _Restore:
    def __init__(self, state: redis.Redis, scripts: Scripts, progress: Progress) -> None:
        self._state = state
        self._scripts = scripts
        self._progress = progress
        self._jobs: list[tuple[int, str]] = []
        self.counts: dict[str, int] = {}

    def write(self, all_lines: Iterable[Line]) -> None:
        """Everything but the jobs' places."""
        for chunk in chunks(all_lines):
            pipe = self._state.pipeline(transaction=False)
            for line in chunk:
                WRITERS[line["kind"]](pipe, line)
                if line["kind"] == "job":
                    record = line["record"]
                    self._jobs.append((int(record["score"]) % RANK, record["id"]))
                self._count(line["kind"], 1)
            pipe.execute()
            self._adopt([line for line in chunk if line["kind"] == "archived"])

    def place(self, cut_at: int) -> None:
        """Every job where it belongs; those that ended after `cut_at` count in their queue's totals."""
        for ids in chunks(job_id for _, job_id in sorted(self._jobs)):
            self._scripts.run_many("restore", [{"job_id": job_id, "cut_at": cut_at} for job_id in ids])
            self._count("placed", len(ids))

    def _adopt(self, archived: list[Line]) -> None:
        self._scripts.run_many(
            "adopt",
            [{name: line[name] for name in ("job", "sequence", "expires_at")} for line in archived],
        )

    def _count(self, kind: str, by: int) -> None:
        before = self.counts.get(kind, 0)
        self.counts[kind] = before + by
        if before // CHUNK != self.counts[kind] // CHUNK:
            self._progress(kind, self.counts[kind])


def _write_job(pipe: Pipeline, line: Line) -> None:
    pipe.hset(f"{PREFIX}j:{line['record']['id']}", mapping={**line["record"], "place": ""})


def _write_message(pipe: Pipeline, line: Line) -> None:
    """A message that is not delivered or given up is sent when it is due, by whoever comes first."""
    fields = {name: value for name, value in line["fields"].items() if name not in ("lease", "lane")}
    key = f"{PREFIX}outbox:{fields['id']}"
    pipe.hset(key, mapping=fields)
    if fields.get("state", PENDING) == PENDING:
        pipe.zadd(f"{PREFIX}outbox", {fields["id"]: float(fields.get("due") or fields["at"])})
    elif line["life_ms"] is not None:
        pipe.pexpire(key, line["life_ms"])


def _write_upload(pipe: Pipeline, line: Line) -> None:
    record = line["record"]
    pipe.set(f"{PREFIX}upload:{record['id']}", dump(record))
    pipe.zadd(f"{PREFIX}uploads:due", {record["id"]: line["due"]})
    pipe.hincrby(f"{PREFIX}uploads:bytes", record["owner"], record["bytes"])
    if line["jobs"]:
        pipe.sadd(f"{PREFIX}upload:{record['id']}:jobs", *line["jobs"])


def _write_idempotency(pipe: Pipeline, line: Line) -> None:
    pipe.hset(PREFIX + line["name"], mapping=line["fields"])
    if line["life_ms"] is not None:
        pipe.pexpire(PREFIX + line["name"], line["life_ms"])


def _write_copied(pipe: Pipeline, line: Line) -> None:
    key = PREFIX + line["name"]
    if line.get("hash"):
        pipe.hset(key, mapping=line["hash"])
    if line.get("set"):
        pipe.sadd(key, *line["set"])
    if line.get("zset"):
        pipe.zadd(key, dict(line["zset"]))


def _write_queue(pipe: Pipeline, line: Line) -> None:
    pipe.sadd(f"{PREFIX}queues", line["name"])
    if line["totals"]:
        pipe.hset(f"{PREFIX}queue:{line['name']}", mapping=line["totals"])


def _write_hooked(pipe: Pipeline, line: Line) -> None:
    pipe.sadd(f"{PREFIX}hooked", line["job"])


def _write_nothing(pipe: Pipeline, line: Line) -> None:
    """Archived jobs are adopted by a script instead."""


WRITERS: dict[str, Callable[[Pipeline, Line], None]] = {
    "job": _write_job,
    "archived": _write_nothing,
    "message": _write_message,
    "upload": _write_upload,
    "idempotency": _write_idempotency,
    "copied": _write_copied,
    "queue": _write_queue,
    "hooked": _write_hooked,
}
