"""Artifacts: the bytes, whole or by range, or the way to them."""

from collections.abc import Iterator

from flask import Response, g, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from api.problems import Problem
from api.ranges import requested_span
from api.reading import query
from api.services import services
from infra.errors import ObjectNotFound
from infra.jobs.record import Artifact, Job
from infra.storage.base import Reader
from infra.storage.keys import artifact_key

SIGNED_SECONDS = 900

PLAYED = ("video/", "audio/")
SHOWN = ("image/", *PLAYED)
"""What a browser may show in its window: it holds no scripts, and `nosniff` says that it is nothing else."""

PLAYER_POLICY = "default-src 'none'; media-src 'self'; frame-ancestors 'none'"
"""For what is played: the browser's own player fetches it anew, which a sandbox would not let it show."""


def show(job_id: str, name: str) -> AnyResponse:
    """One artifact: 200, 206 for a range, 304, or 302 to a signed URL where the storage is public."""
    query()
    job = services().queue.get(job_id, g.owner)
    artifact = _named(job, name)
    key = artifact_key(job.owner, job.id, job.attempt_id or "", artifact.name)
    if services().settings.storage_public_url and request.method == "GET":  # which is what is signed
        url = services().storage.sign(key, SIGNED_SECONDS, _filename(job, artifact))
        if url is not None:
            return redirect(url, 302)
    if request.if_none_match.contains_weak(artifact.sha256):
        return _described(Response(status=304), job, artifact)
    return _described(_bytes(key, artifact), job, artifact)


def _named(job: Job, name: str) -> Artifact:
    for artifact in job.artifacts:
        if artifact.name == name:
            return artifact
    raise Problem("artifact_not_found", f"{job.id} is {job.status} and has no artifact of this name.")


def _bytes(key: str, artifact: Artifact) -> Response:
    ranged = request.method == "GET" and _range_still_fits(artifact)
    wanted = request.headers.get("Range") if ranged else None
    span = requested_span(wanted, artifact.bytes)
    if request.method == "HEAD":
        chunks: Iterator[bytes] | Reader = iter(())
    else:
        chunks = _open(key, span.start if span else 0, span.end if span else None)
    response = Response(chunks, status=206 if span else 200, content_type=_content_type(artifact))
    response.content_length = span.length if span else artifact.bytes
    if span:
        response.headers["Content-Range"] = span.content_range
    return response


def _content_type(artifact: Artifact) -> str:
    """Texts are UTF-8, which clients would not guess."""
    return (
        f"{artifact.media_type}; charset=utf-8"
        if artifact.media_type == "text/plain"
        else artifact.media_type
    )


def _open(key: str, start: int, end: int | None) -> Reader:
    try:
        return services().storage.open(key, start, end)
    except ObjectNotFound:
        raise Problem("artifact_not_found", "The artifact has been removed from the storage.") from None


def _range_still_fits(artifact: Artifact) -> bool:
    """`If-Range`: a client that has part of another version is sent the whole."""
    condition = request.headers.get("If-Range")
    return condition is None or condition.strip() == f'"{artifact.sha256}"'


def _described(response: Response, job: Job, artifact: Artifact) -> Response:
    response.set_etag(artifact.sha256)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = "private, max-age=3600"  # the bytes of a name never change
    shown = "inline" if artifact.media_type.startswith(SHOWN) else "attachment"
    if artifact.media_type.startswith(PLAYED):
        response.headers["Content-Security-Policy"] = PLAYER_POLICY
    response.headers["Content-Disposition"] = f'{shown}; filename="{_filename(job, artifact)}"'
    return response


def _filename(job: Job, artifact: Artifact) -> str:
    return f"{job.id}-{artifact.name}"
