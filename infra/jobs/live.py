"""Progress and previews of running jobs, many times a second, through the broker.

Nothing depends on them: the broker may lose any of them, and the record's own progress is renewed at every
heartbeat. So a broker that fails costs the worker one log line, never an error.
"""

import base64
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import redis

from infra.jobs.codec import dump
from infra.logs import get_logger

CHANNEL = "atl:live:"
"""Followed by the job's id: each message is JSON {progress, preview?}."""

LAST = "atl:live:last:"
"""Followed by the job's id: the last progress, for who comes later."""

LAST_SECONDS = 60

PREVIEW_MAX_BYTES = 16 * 1024
"""Larger previews are left out: every watcher gets every one."""

log = get_logger()


@dataclass(frozen=True, slots=True)
class Shown:
    """One message."""

    progress: dict[str, Any]
    """{attempt_id, fraction, step, steps, stage}"""
    preview: bytes | None
    """A small WebP or JPEG."""


class Live:
    """Publishes and reads live progress. `broker` may decode its replies or not."""

    def __init__(self, broker: redis.Redis) -> None:
        self._broker = broker
        self._lock = threading.Lock()
        self._failing = False

    def publish(self, job_id: str, progress: Mapping[str, Any], preview: bytes | None = None) -> None:
        """Show this to whoever watches the job now."""
        text = dump(progress)
        pipe = self._broker.pipeline(transaction=False)
        pipe.set(LAST + job_id, text, ex=LAST_SECONDS)
        pipe.publish(CHANNEL + job_id, _message(text, preview))
        try:
            pipe.execute()
        except redis.RedisError as error:
            self._note_failure(error)
        else:
            self._failing = False

    def latest(self, job_id: str, attempt_id: str | None) -> dict[str, Any] | None:
        """The progress that this attempt published last; None when that was long ago, or when the broker does
        not answer."""
        try:
            text = self._broker.get(LAST + job_id)
        except redis.RedisError as error:
            self._note_failure(error)
            return None
        found = cast(dict[str, Any], json.loads(text)) if text is not None else {}
        return found if found.get("attempt_id") == attempt_id else None

    def answers(self) -> bool:
        """Whether the broker is there."""
        try:
            return bool(self._broker.ping())
        except redis.RedisError as error:
            self._note_failure(error)
            return False

    def _note_failure(self, error: redis.RedisError) -> None:
        with self._lock:
            first, self._failing = not self._failing, True
        if first:
            log.warning("Live progress is not shown", action="live.failed", error=str(error))


def _message(progress: str, preview: bytes | None) -> str:
    if preview is None or len(preview) > PREVIEW_MAX_BYTES:
        return f'{{"progress":{progress}}}'
    return f'{{"progress":{progress},"preview":"{base64.b64encode(preview).decode()}"}}'


def read_live(message: str | bytes) -> Shown:
    """A message of the channel, as it was published."""
    found = json.loads(message)
    preview = found.get("preview")
    return Shown(found["progress"], None if preview is None else base64.b64decode(preview))
