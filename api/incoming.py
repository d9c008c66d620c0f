"""Files that come in, by upload or by URL: checked, then stored as an upload of the owner."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

from flask import g

from api.deadline import waiting_for_client
from api.problems import Problem
from api.services import services
from infra.crash_points import CrashPoint, crash_point
from infra.errors import InfraError
from infra.logs import get_logger
from infra.media_check import CheckedMedia, MediaError, check_media
from infra.metrics import UPLOADS
from infra.storage.keys import upload_key
from infra.uploads import Upload

CHECKS_AT_ONCE = 2  # each may take 1.5 GiB of memory and a core
CHECK_WAIT_SECONDS = 2.0

log = get_logger()
_checks = threading.BoundedSemaphore(CHECKS_AT_ONCE)


@contextmanager
def counting_refusals() -> Iterator[None]:
    """Round the making of one upload."""
    try:
        yield
    except (Problem, InfraError, MediaError):
        UPLOADS.inc(result="refused")
        raise


def checked(sent: Path) -> CheckedMedia:
    """What the file holds, written anew beside it; UnsupportedMedia, BadMedia, Unconfined, or Problem 503
    when too many are being checked."""
    with waiting_for_client(), _turn():  # the size of its file decides how long the client waits
        return check_media(sent, sent.parent, confinement=services().settings.media_confinement)


def stored(media: CheckedMedia, filename: str) -> Upload:
    """Store it as an upload of the owner, who may refer to it from now on."""
    size = media.path.stat().st_size
    services().home.check(coming=size)
    with media.path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    uploads = services().uploads
    upload = uploads.reserve(
        g.owner,
        filename=filename,
        media_type=media.media_type,
        size=size,
        sha256=digest,
        width=media.width,
        height=media.height,
        duration_seconds=media.duration_seconds,
        frames=media.frames,
    )
    crash_point(CrashPoint.UPLOAD_RESERVED)
    try:
        with waiting_for_client():
            services().storage.put(upload_key(upload.owner, upload.id), media.path, upload.media_type)
    except InfraError:
        uploads.forget(upload)
        raise
    crash_point(CrashPoint.UPLOAD_STORED)
    done = uploads.complete(upload)
    UPLOADS.inc(result="stored")
    log.info(
        "An upload was stored", action="upload.stored", upload_id=done.id, owner=done.owner, bytes=done.bytes
    )
    return done


@contextmanager
def _turn() -> Iterator[None]:
    if not _checks.acquire(timeout=CHECK_WAIT_SECONDS):
        raise Problem("too_many_uploads")
    try:
        yield
    finally:
        _checks.release()
