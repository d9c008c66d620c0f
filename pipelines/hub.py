"""The model hub: what a repository holds, and its files one by one, whole or not at all.

huggingface_hub does the talking: endpoint (`HF_ENDPOINT`), token, redirects, retries. It keeps nothing of a
file that a process did not finish, so the half-fetched file is ours: a later pull goes on where it ends.
"""

import errno
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import PullFailed

PART = ".part"
"""What a half-fetched file's name ends with."""

COMMIT = re.compile(r"[0-9a-f]{40}")

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

TRIES = 2
"""Times that a file is fetched whose digest is wrong."""


@dataclass(frozen=True)
class HubFile:
    """One file of a repository."""

    name: str
    bytes: int
    sha256: str
    """Of what is stored as a large file; empty for others."""
    git_id: str
    """Git's own digest of a small file, a SHA-1."""

    def is_at(self, path: Path) -> bool:
        """Whether `path` holds exactly this file."""
        if not path.is_file() or path.stat().st_size != self.bytes:
            return False
        with path.open("rb") as file:
            if self.sha256:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
            found = hashlib.sha1(b"blob %d\0" % self.bytes, usedforsecurity=False)
            found.update(file.read())
            return found.hexdigest() == self.git_id


@dataclass(frozen=True)
class Repository:
    """A repository of the hub at one revision."""

    name: str
    revision: str
    files: dict[str, HubFile]


class Told:
    """Stands in for huggingface_hub's progress bar."""

    def __init__(self, on_bytes: Callable[[int], None]) -> None:
        self.update = on_bytes

    def __enter__(self) -> "Told":
        return self

    def __exit__(self, *raised: object) -> None:
        pass


def look_up(name: str, revision: str) -> Repository:
    """What a repository holds at `revision`, a name or a commit (empty: the newest); raises PullFailed."""
    with _translated(name):
        from huggingface_hub import HfApi

        found = HfApi().model_info(name, revision=revision or None, files_metadata=True)
    files = {
        each.rfilename: HubFile(
            each.rfilename, each.size or 0, each.lfs.sha256 if each.lfs else "", each.blob_id or ""
        )
        for each in found.siblings or []
    }
    if not COMMIT.fullmatch(found.sha or ""):  # it becomes the name of a folder
        raise PullFailed(f"the hub does not say which commit of {name} this is")
    return Repository(name, found.sha, files)


def fetch(repository: Repository, file: HubFile, into: Path, on_bytes: Callable[[int], None]) -> None:
    """Put one file at `into`, its digest checked; raises PullFailed, and then only its part is there.

    `on_bytes` is told how many bytes have come, those of an earlier pull included; a negative number takes
    back what was of no use.
    """
    part = into.with_name(into.name + PART)
    into.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(TRIES):
        with _translated(repository.name):
            _fill(repository, file, part, on_bytes)
        if file.is_at(part):
            part.replace(into)
            return
        part.unlink()
        on_bytes(-file.bytes)
    raise PullFailed(f"{file.name} came {TRIES} times with another digest than the hub states")


def _fill(repository: Repository, file: HubFile, part: Path, on_bytes: Callable[[int], None]) -> None:
    """Append to the part what is missing."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    with part.open("ab") as written:
        there = written.tell()
        if there > file.bytes:
            written.truncate(0)
            there = 0
        on_bytes(there)
        http_get(
            hf_hub_url(repository.name, file.name, revision=repository.revision),
            written,
            resume_size=there,
            headers=build_hf_headers(),
            expected_size=file.bytes,
            displayed_filename=file.name,
            tqdm_class=lambda **options: Told(on_bytes),
        )


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Raise PullFailed, in our words, for what the hub's client and the disk say."""
    try:
        yield
    except ImportError as error:
        raise PullFailed("huggingface-hub is not installed: pip install 'atelier[worker]'") from error
    except OSError as error:  # also what huggingface_hub raises about answers
        raise PullFailed(_in_words(name, error)) from error
    except ValueError as error:
        raise PullFailed(f"{name}: {error}") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] in {"httpx", "httpx2", "httpcore", "httpcore2"}:
            raise PullFailed(f"the hub cannot be reached: {type(error).__name__}: {error}") from error
        raise


def _in_words(name: str, error: OSError) -> str:
    if error.errno in NO_ROOM:
        return (
            f"the disk is full: {error.strerror}. Free some space and pull again: it goes on where it stopped"
        )
    match type(error).__name__:
        case "GatedRepoError":
            return (
                f"{name} is gated: agree to its conditions on the hub, then set HF_TOKEN to a token of "
                "that account"
            )
        case "RepositoryNotFoundError":
            return f"the hub has no repository {name}, or it needs a token (HF_TOKEN)"
        case "RevisionNotFoundError":
            return f"{name} has no such revision"
        case "OfflineModeIsEnabled":
            return "HF_HUB_OFFLINE is set, which forbids to reach the hub"
    return f"{type(error).__name__}: {error}"
