"""Uploads: files for inputs, checked before they are stored."""

import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

from flask import Response, g, request

from api.answers import json_answer
from api.bodies import upload_body
from api.deadline import waiting_for_client
from api.problems import Problem, invalid
from api.reading import copy_body, query
from api.services import services
from infra.crash_points import CrashPoint, crash_point
from infra.errors import InfraError
from infra.logs import get_logger
from infra.media_check import BadMedia, CheckedImage, UnsupportedMedia, check_image
from infra.metrics import UPLOADS
from infra.storage.keys import upload_key
from infra.uploads import Upload

CHECKS_AT_ONCE = 2  # each may take 1.5 GiB of memory and a core
CHECK_WAIT_SECONDS = 2.0
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
BAD_IN_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\\/\u2028\u2029\ud800-\udfff]")
LONGEST_NAME = 200

log = get_logger()
_checks = threading.BoundedSemaphore(CHECKS_AT_ONCE)


def create() -> Response:
    """Store the raw body as a file that inputs may refer to."""
    filename = _filename(query("filename").get("filename", "upload"))
    if request.mimetype in FORMS:
        raise Problem("unsupported_media_type", "Send the file's bytes as the body, not a form.")
    try:
        with tempfile.TemporaryDirectory(prefix="atelier-upload-") as folder:
            image = _checked(Path(folder))
            upload = _stored(image, filename)
    except (Problem, InfraError):
        UPLOADS.inc(result="refused")
        raise
    UPLOADS.inc(result="stored")
    log.info(
        "An upload was stored",
        action="upload.stored",
        upload_id=upload.id,
        owner=upload.owner,
        bytes=upload.bytes,
    )
    return json_answer(upload_body(upload), 201)


def _filename(name: str) -> str:
    if not 1 <= len(name) <= LONGEST_NAME or BAD_IN_NAME.search(name) or name in (".", ".."):
        detail = f"A file name has 1 to {LONGEST_NAME} characters, no control characters and no slashes."
        raise invalid("/query/filename", detail)
    return name


def _checked(folder: Path) -> CheckedImage:
    sent = folder / "sent"
    with sent.open("wb") as file:
        copy_body(file, services().settings.max_upload_bytes)
    with waiting_for_client(), _turn():  # the size of its file decides how long the client waits
        try:
            return check_image(sent, folder)
        except UnsupportedMedia as error:
            raise Problem("unsupported_media_type", str(error)) from None
        except BadMedia as error:
            raise Problem("bad_media", str(error)) from None


@contextmanager
def _turn() -> Iterator[None]:
    if not _checks.acquire(timeout=CHECK_WAIT_SECONDS):
        raise Problem("too_many_uploads")
    try:
        yield
    finally:
        _checks.release()


def _stored(image: CheckedImage, filename: str) -> Upload:
    size = image.path.stat().st_size
    services().home.check(coming=size)
    with image.path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    uploads = services().uploads
    upload = uploads.reserve(
        g.owner,
        filename=filename,
        media_type=image.media_type,
        size=size,
        sha256=digest,
        width=image.width,
        height=image.height,
    )
    crash_point(CrashPoint.UPLOAD_RESERVED)
    try:
        with waiting_for_client():
            services().storage.put(upload_key(upload.owner, upload.id), image.path, upload.media_type)
    except InfraError:
        uploads.forget(upload)
        raise
    crash_point(CrashPoint.UPLOAD_STORED)
    return uploads.complete(upload)
