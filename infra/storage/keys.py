"""Storage keys: who makes them and which are allowed.

    <owner>/<job id>/<attempt id>/<name>   an artifact, and `manifest.json` beside it
    <owner>/<job id>/job.json              the record of a job that has left the state server
    <owner>/uploads/<upload id>            a file that a client sent
    probes/<worker id>                     for a moment: a worker tries whether it may store again

A key is 1 to 8 segments joined by `/`. The alphabet is small on purpose: it has no `\\`, no NUL, nothing that
a file system, a URL or an S3 signature would read in two ways. A segment never starts with a dot, so `.` and
`..` cannot be written, and the folder storage keeps dotted names for itself.
"""

import re

from infra.errors import BadKey

MANIFEST = "manifest.json"
RECORD = "job.json"
UPLOADS = "uploads"
PROBES = "probes"
MAX_SEGMENTS = 8
MAX_SEGMENT_CHARS = 128  # leaves room for the folder storage's own prefix and suffix within 255 bytes

_SEGMENT = re.compile(rf"[A-Za-z0-9_-][A-Za-z0-9._-]{{0,{MAX_SEGMENT_CHARS - 1}}}", re.ASCII)
_OWNER = re.compile(r"[a-z0-9_-]{1,64}", re.ASCII)
_JOB = re.compile(r"job_[0-9a-f]{24}", re.ASCII)
_ATTEMPT = re.compile(r"[0-9a-f]{32}", re.ASCII)


def artifact_key(owner: str, job_id: str, attempt_id: str, name: str) -> str:
    """Key of one file of one attempt. BadKey for a part that is malformed."""
    return check_key(f"{attempt_prefix(owner, job_id, attempt_id)}{name}")


def manifest_key(owner: str, job_id: str, attempt_id: str) -> str:
    """Key of the list of an attempt's artifacts, written last."""
    return artifact_key(owner, job_id, attempt_id, MANIFEST)


def attempt_prefix(owner: str, job_id: str, attempt_id: str) -> str:
    """Prefix of everything that one attempt has stored."""
    return f"{job_prefix(owner, job_id)}{_match(_ATTEMPT, attempt_id, 'attempt id')}/"


def job_prefix(owner: str, job_id: str) -> str:
    """Prefix of everything that all attempts of a job have stored."""
    return f"{_match(_OWNER, owner, 'owner')}/{_match(_JOB, job_id, 'job id')}/"


def record_key(owner: str, job_id: str) -> str:
    """Key of a job's record, once it has left the state server."""
    return check_key(f"{job_prefix(owner, job_id)}{RECORD}")


def upload_key(owner: str, upload_id: str) -> str:
    """Key of a file that a client sent."""
    return check_key(f"{_match(_OWNER, owner, 'owner')}/{UPLOADS}/{upload_id}")


def probe_key(worker_id: str) -> str:
    """Key of the object by which a worker tries whether it may store."""
    return check_key(f"{PROBES}/{worker_id}")


def check_key(key: str) -> str:
    """The key itself; BadKey if it is not one."""
    segments = key.split("/")
    if len(segments) > MAX_SEGMENTS or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise BadKey(f"not a storage key: {key[:200]!r}")
    return key


def check_prefix(prefix: str) -> str:
    """The prefix itself; BadKey unless it is empty or whole segments, each ended by `/`.

    So a prefix can never name half a segment: `job_1` would also take `job_10`.
    """
    if prefix:
        if not prefix.endswith("/"):
            raise BadKey(f"a prefix ends with '/': {prefix[:200]!r}")
        check_key(prefix[:-1])
    return prefix


def _match(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise BadKey(f"not a valid {what}: {text[:200]!r}")
    return text
