"""Uploads: files for inputs, checked before they are stored."""

import re
import tempfile
from pathlib import Path

from flask import Response, request

from api.answers import json_answer
from api.bodies import upload_body
from api.incoming import checked, counting_refusals, stored
from api.problems import Problem, invalid
from api.reading import copy_body, query
from api.services import services
from infra.media_check import BadMedia, UnsupportedMedia

FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
BAD_IN_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\\/\u2028\u2029\ud800-\udfff]")
LONGEST_NAME = 200


def create() -> Response:
    """Store the raw body as a file that inputs may refer to."""
    filename = _filename(query("filename").get("filename", "upload"))
    if request.mimetype in FORMS:
        raise Problem("unsupported_media_type", "Send the file's bytes as the body, not a form.")
    with counting_refusals(), tempfile.TemporaryDirectory(prefix="atelier-upload-") as folder:
        sent = Path(folder) / "sent"
        with sent.open("wb") as file:
            copy_body(file, services().settings.max_upload_bytes)
        try:
            media = checked(sent)
        except UnsupportedMedia as error:
            raise Problem("unsupported_media_type", str(error)) from None
        except BadMedia as error:
            raise Problem("bad_media", str(error)) from None
        upload = stored(media, filename)
    return json_answer(upload_body(upload), 201)


def _filename(name: str) -> str:
    if not 1 <= len(name) <= LONGEST_NAME or BAD_IN_NAME.search(name) or name in (".", ".."):
        detail = f"A file name has 1 to {LONGEST_NAME} characters, no control characters and no slashes."
        raise invalid("/query/filename", detail)
    return name
