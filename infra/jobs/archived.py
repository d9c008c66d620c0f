"""Jobs whose record has moved from the state server to the storage. Used by JobQueue only.

The state server keeps a line of each: in its owner's list, among those that expire, and in the hash
`archived`. The lines are only an index: a job is found without one, and `adopt` makes it anew.
"""

from collections.abc import Iterable, Mapping

import redis

from infra.archive import Archive
from infra.crash_points import CrashPoint, crash_point
from infra.errors import JobNotFound
from infra.jobs import survey
from infra.jobs.codec import pairs, read_job
from infra.jobs.record import Job
from infra.jobs.scripts import Scripts

STUB = "archived"
"""First word of a list's row that stands for an archived job; the second is its id."""

RANK = 10**13
"""A record's `score` is its priority's rank times this, plus its sequence number."""


class Archived:
    """The archived jobs of one deployment; without an archive there are none."""

    def __init__(self, state: redis.Redis, scripts: Scripts, archive: Archive | None) -> None:
        self._state = state
        self._scripts = scripts
        self._archive = archive

    def find(self, job_id: str, owner: str) -> Job:
        """The job of this owner; JobNotFound also when it was deleted or its life is over."""
        known = survey.archived_owner(self._state, job_id)
        if known not in (None, owner):
            raise JobNotFound
        job = self.kept(owner, job_id)
        if job is None or (job.expires_at or 0) <= survey.server_time(self._state):
            raise JobNotFound
        return job

    def kept(self, owner: str, job_id: str) -> Job | None:
        """What the storage tells of the job, even if its life is over."""
        return self._archive.get(owner, job_id) if self._archive else None

    def fill(self, owner: str, rows: Iterable[list[str]]) -> tuple[Job, ...]:
        """The jobs of a page; archived ones are read from the storage, and left out if they have vanished."""
        page = list(rows)
        ids = [row[1] for row in page if row[0] == STUB]
        found = self._archive.get_many([(owner, job_id) for job_id in ids]) if self._archive and ids else []
        archived = dict(zip(ids, found, strict=False))
        jobs = [archived.get(row[1]) if row[0] == STUB else read_job(pairs(row)) for row in page]
        return tuple(job for job in jobs if job is not None)

    def delete(self, job_id: str, owner: str) -> Job:
        """Hide the job from its owner; returns it, so that its objects can be removed. JobNotFound."""
        job = self.find(job_id, owner)
        self.adopt(owner, job_id)
        self._scripts.run("delete_archived", job_id=job_id, owner=owner)
        return job

    def move(self, older_than_seconds: float, limit: int) -> int:
        """Move records of jobs that ended so long ago: written to the storage first. Returns how many."""
        if self._archive is None:
            return 0
        records = survey.finished(self._state, older_than_seconds, limit)
        return sum(self._move(self._archive, job_id, record) for job_id, record in records.items())

    def _move(self, archive: Archive, job_id: str, record: Mapping[str, str]) -> bool:
        if record:
            archive.put(record)
        crash_point(CrashPoint.ARCHIVE_WRITTEN)
        word, _, _ = self._scripts.run("archive", job_id=job_id, version=record.get("version"))
        # Gone: deleted meanwhile, maybe before the `put`, whose object nobody would remove then.
        if word == "gone" and record:
            archive.delete(record["owner"], record["id"])
        return bool(word == "ok")

    def adopt(self, owner: str, job_id: str) -> bool:
        """Index a job that only the storage knows; whether that was needed."""
        if survey.archived_owner(self._state, job_id) is not None:
            return False
        record = self._archive.record(owner, job_id) if self._archive else None
        if record is None:
            return False
        word, _, _ = self._scripts.run(
            "adopt",
            job={name: record[name] for name in ("id", "owner", "status", "kind", "model")},
            sequence=int(record["score"]) % RANK,
            expires_at=int(record["expires_at"]),
        )
        return bool(word == "ok")
