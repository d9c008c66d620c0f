"""Inputs by URL: downloaded when the job is submitted, checked, and stored as uploads of the owner."""

import re
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import g

from api.deadline import is_overloaded, waiting_for_client
from api.incoming import checked, counting_refusals, stored
from api.problems import Fault, Problem
from api.services import services
from infra.errors import InfraError, Unavailable
from infra.logs import get_logger
from infra.media_check import CheckedMedia, MediaError, UnsupportedMedia
from infra.outbound import Unreachable, UrlRefused
from infra.storage.keys import upload_key
from infra.uploads import Upload
from pipelines.kinds import Media

MOST_URLS = 8  # of one request
SECONDS = 30.0  # for the downloads of one request together
AT_ONCE = 8  # requests of one API process that download
NAME = re.compile(r"[\w.-]{1,100}", re.ASCII)
TURNED_OFF = (
    'This server downloads no inputs: upload the file and give {"upload": id}.'
    " Its operator may turn downloads on with ATELIER_INPUT_URLS=1."
)

ARTICLES: dict[Media, str] = {
    "image": "an image",
    "video": "a video",
    "audio": "a sound or a score",
    "text": "a text",
}

log = get_logger()
_turns = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class Wanted:
    """One input that is given by URL."""

    at: str  # pointer to the input
    field: str
    url: str
    job_id: str
    inputs: dict[str, Any]  # of the job, where an upload takes the URL's place
    media: Media  # what it must give


class Downloads:
    """The URLs of one request. What is wrong with one becomes a fault, and then nothing is stored."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults
        self._wanted: list[Wanted] = []

    def add(self, wanted: Wanted) -> None:
        """Check the URL as text; it is downloaded later."""
        if not services().settings.input_urls:
            self._fault(wanted, TURNED_OFF)
            return
        try:
            services().downloader.check(wanted.url)
        except UrlRefused as error:
            self._fault(wanted, str(error))
            return
        self._wanted.append(wanted)
        if len({each.url for each in self._wanted}) > MOST_URLS:
            self._fault(wanted, f"One request may name {MOST_URLS} URLs.")

    def fetch(self) -> list[tuple[Wanted, Upload]]:
        """Download, check and store what is wanted, each URL once; nothing when there is a fault."""
        if not self._wanted:
            return []
        with _turn(), tempfile.TemporaryDirectory(prefix="atelier-download-") as folder:
            media = self._get_all(Path(folder))
            if self._faults:
                return []
            uploads = {url: self._stored(each, url) for url, each in media.items()}
        return [(wanted, uploads[wanted.url]) for wanted in self._wanted]

    def _stored(self, media: CheckedMedia, url: str) -> Upload:
        upload = stored(media, _filename(url))
        g.downloaded.append(upload)
        return upload

    def _get_all(self, folder: Path) -> dict[str, CheckedMedia]:
        found: dict[str, CheckedMedia] = {}
        budget = Budget(SECONDS)
        for index, url in enumerate(dict.fromkeys(wanted.url for wanted in self._wanted)):
            place = folder / str(index)
            place.mkdir()
            try:
                with counting_refusals():
                    found[url] = _get(url, place / "sent", budget)
                    self._check_media(url, found[url].media_type)
            except (UrlRefused, Unreachable, MediaError) as error:
                for wanted in self._wanted_of(url):
                    self._fault(wanted, str(error))
        return found

    def _check_media(self, url: str, media_type: str) -> None:
        for wanted in self._wanted_of(url):
            if media_type.partition("/")[0] != wanted.media:
                raise UnsupportedMedia(f"The URL gives {media_type}; {ARTICLES[wanted.media]} is needed.")

    def _wanted_of(self, url: str) -> list[Wanted]:
        return [wanted for wanted in self._wanted if wanted.url == url]

    def _fault(self, wanted: Wanted, detail: str) -> None:
        self._faults.append(Fault(f"{wanted.at}/url", detail))


@contextmanager
def dropped_if_refused() -> Iterator[None]:
    """Round a submission: what was downloaded for one that is refused is not kept. Where a service does not
    answer the jobs may exist, so then it stays until its life as an upload is over."""
    g.downloaded = []
    try:
        yield
    except (Problem, InfraError) as error:
        if not isinstance(error, Unavailable) and not is_overloaded(error):
            _drop(g.downloaded)
        raise


def _drop(uploads: Iterable[Upload]) -> None:
    for upload in uploads:
        try:
            services().storage.delete(upload_key(upload.owner, upload.id))
            services().uploads.forget(upload)
        except Unavailable as error:  # the collector removes it when its life is over
            log.warning(
                "A download is removed later",
                action="input.drop_later",
                upload_id=upload.id,
                error=str(error),
            )


class Budget:
    """Time that several downloads share; the checks between them do not count."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    @contextmanager
    def spend(self) -> Iterator[float]:
        """The seconds that are left; what the block takes is gone."""
        started = time.monotonic()
        try:
            yield max(0.1, self._left)
        finally:
            self._left -= time.monotonic() - started


def _get(url: str, target: Path, budget: Budget) -> CheckedMedia:
    """What the URL gives, downloaded and checked."""
    most = services().settings.max_upload_bytes
    with waiting_for_client(), budget.spend() as seconds:
        got = services().downloader.download(url, target, max_bytes=most, seconds=seconds)
    log.info(
        "A file was downloaded for an input",
        action="input.downloaded",
        owner=g.owner,
        host=services().downloader.check(url).host,
        bytes=got.bytes,
    )
    return checked(target)


def _filename(url: str) -> str:
    """The last part of the path, where that makes a plain name."""
    name = url.partition("?")[0].rpartition("/")[2]
    return name if NAME.fullmatch(name) and name.strip(".") else "download"


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(blocking=False):
        raise Problem("too_many_uploads", "Too many files are being downloaded at once.")
    try:
        yield
    finally:
        _turns.release()
