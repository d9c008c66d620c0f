"""Uploaded files: their records, what they cost their owner, and how long they live.

An upload is reserved (its bytes count against the owner), then its object is stored, then it is completed and
can be used. A crash in between leaves a reservation that expires like any upload, so no object is ever
without a record. Its life is `upload_expires_seconds`; when that is over and a job that still exists refers
to it, it lives on for as long again, and so on until the job is gone.
"""

import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import redis

from infra.connections import translate
from infra.errors import InfraError, JobNotFound, OwnerLimit
from infra.jobs.codec import known_fields
from infra.jobs.queue import JobQueue

PREFIX = "atl:{g0}:"
REFERRED_MS = 600_000  # a reference made in the last moment still gives its job ten minutes to be enqueued

RESERVE = """
-- KEYS: record, due, bytes by owner.
-- ARGV: record as JSON, id, owner, bytes, expires_at, most bytes of the owner
if redis.call('EXISTS', KEYS[1]) == 1 then return 1 end
local held = tonumber(redis.call('HGET', KEYS[3], ARGV[3]) or '0')
if held + tonumber(ARGV[4]) > tonumber(ARGV[6]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[2])
redis.call('HINCRBY', KEYS[3], ARGV[3], ARGV[4])
return 1
"""

REFER = """
-- KEYS: record, due, referring jobs. ARGV: id, now, keep until at least, job ids...
local due = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or '0')
if redis.call('EXISTS', KEYS[1]) == 0 or due <= tonumber(ARGV[2]) then return 0 end
for i = 4, #ARGV do redis.call('SADD', KEYS[3], ARGV[i]) end
if due < tonumber(ARGV[3]) then redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1]) end
return 1
"""

FORGET = """
-- KEYS: record, due, bytes by owner, referring jobs. ARGV: id, owner, bytes
if redis.call('DEL', KEYS[1]) == 1 then redis.call('HINCRBY', KEYS[3], ARGV[2], -tonumber(ARGV[3])) end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[4])
return 1
"""


class UploadNotFound(InfraError):
    """There is no such upload, its life is over, or it belongs to somebody else."""


def new_upload_id() -> str:
    """`upl_` and 24 hex digits."""
    return "upl_" + secrets.token_hex(12)


@dataclass(frozen=True)
class Upload:
    """One uploaded file, as it was stored after the check. Times are epoch milliseconds."""

    id: str
    owner: str
    filename: str  # as the client named it; never used as a path
    media_type: str
    bytes: int
    sha256: str
    width: int | None  # pixels; None for sound
    height: int | None
    created_at: int
    expires_at: int  # first end of its life; a job that refers to it prolongs that
    complete: bool = False  # the object is stored; before that nobody may refer to it
    duration_seconds: float | None = None  # of sound and video
    frames: int | None = None  # of video


class Uploads:
    """Records of uploads on the state server. Every call may raise StateUnavailable."""

    def __init__(self, state: redis.Redis, *, expires_seconds: int, owner_bytes: int) -> None:
        self._state = state
        self._expires_ms = expires_seconds * 1000
        self._owner_bytes = owner_bytes
        self._reserve = state.register_script(RESERVE)
        self._refer = state.register_script(REFER)
        self._forget = state.register_script(FORGET)

    @translate()
    def reserve(
        self,
        owner: str,
        *,
        filename: str,
        media_type: str,
        size: int,
        sha256: str,
        width: int | None = None,
        height: int | None = None,
        duration_seconds: float | None = None,
        frames: int | None = None,
    ) -> Upload:
        """Record an upload that is about to be stored; OwnerLimit when the owner's uploads would be too
        much."""
        now = self._now()
        upload = Upload(
            new_upload_id(),
            owner,
            filename,
            media_type,
            size,
            sha256,
            width,
            height,
            now,
            now + self._expires_ms,
            duration_seconds=duration_seconds,
            frames=frames,
        )
        keys = [_record(upload.id), PREFIX + "uploads:due", PREFIX + "uploads:bytes"]
        arguments: list[str | int] = [
            _dump(upload),
            upload.id,
            owner,
            size,
            upload.expires_at,
            self._owner_bytes,
        ]
        if not self._reserve(keys=keys, args=arguments):
            raise OwnerLimit(
                f"Your uploads may take {self._owner_bytes:,} bytes together; wait for older ones to expire."
            )
        return upload

    @translate()
    def complete(self, upload: Upload) -> Upload:
        """The object is stored: from now on inputs may refer to it."""
        done = replace(upload, complete=True)
        self._state.set(_record(upload.id), _dump(done), xx=True)
        return done

    @translate()
    def get(self, upload_id: str, owner: str) -> Upload:
        """The complete upload of this owner; UploadNotFound also for somebody else's."""
        found = self._load(upload_id)
        if found is None or found.owner != owner or not found.complete:
            raise UploadNotFound
        return found

    @translate()
    def exists(self, upload_id: str) -> bool:
        """Whether there is a record of it, whoever owns it."""
        return bool(self._state.exists(_record(upload_id)))

    @translate()
    def refer(self, upload_id: str, job_ids: Iterable[str]) -> None:
        """Keep the upload for as long as one of these jobs exists; UploadNotFound when its life is over."""
        now = self._now()
        keys = [_record(upload_id), PREFIX + "uploads:due", _jobs(upload_id)]
        if not self._refer(keys=keys, args=[upload_id, now, now + REFERRED_MS, *job_ids]):
            raise UploadNotFound

    @translate()
    def due(self, queue: JobQueue, limit: int = 100) -> list[Upload]:
        """Uploads to remove, some of them, if there are any: their life is over and no existing job refers to
        them. Prolongs the referred ones that it meets."""
        now, over = self._now(), list[Upload]()
        while not over and (ids := self._over(now, limit)):
            for upload_id in ids:
                upload = self._load(upload_id)
                if upload is not None and self._is_needed(upload, queue):
                    self._state.zadd(PREFIX + "uploads:due", {upload_id: now + self._expires_ms}, xx=True)
                elif upload is not None:
                    over.append(upload)
                else:
                    self._state.zrem(PREFIX + "uploads:due", upload_id)
        return over

    def _over(self, now: int, limit: int) -> list[str]:
        found = self._state.zrangebyscore(PREFIX + "uploads:due", 0, now, start=0, num=limit)
        return cast("list[str]", found)

    @translate()
    def forget(self, upload: Upload) -> None:
        """Drop the record and give the owner its bytes back; call it after the object was deleted."""
        keys = [_record(upload.id), PREFIX + "uploads:due", PREFIX + "uploads:bytes", _jobs(upload.id)]
        self._forget(keys=keys, args=[upload.id, upload.owner, upload.bytes])

    def _is_needed(self, upload: Upload, queue: JobQueue) -> bool:
        for job_id in cast("set[str]", self._state.smembers(_jobs(upload.id))):
            try:
                queue.get(job_id, upload.owner)
                return True
            except JobNotFound:
                self._state.srem(_jobs(upload.id), job_id)
        return False

    def _load(self, upload_id: str) -> Upload | None:
        text = cast("str | None", self._state.get(_record(upload_id)))
        return None if text is None else Upload(**known_fields(Upload, json.loads(text)))

    def _now(self) -> int:
        seconds, micros = self._state.time()
        return seconds * 1000 + micros // 1000


def _record(upload_id: str) -> str:
    return f"{PREFIX}upload:{upload_id}"


def _jobs(upload_id: str) -> str:
    return f"{PREFIX}upload:{upload_id}:jobs"


def _dump(upload: Upload) -> str:
    """Without the newer fields where they say nothing: code that does not know them yet reads it too."""
    fields: dict[str, Any] = asdict(upload)
    newer = ("duration_seconds", "frames")
    return json.dumps(
        {name: fields[name] for name in fields if name not in newer or fields[name] is not None}
    )
