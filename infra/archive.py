"""Records of finished jobs that have left the state server: `job.json` beside each job's artifacts.

It holds the whole record (with the attempt's id and the manifest's digest), so the job is answered from it as
before. It is written before the record is forgotten, and an object appears whole or not at all: at every
moment at least one of the two tells of the job.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from infra.errors import BadKey, ObjectNotFound
from infra.jobs.codec import dump, read_job
from infra.jobs.record import Job
from infra.logs import get_logger
from infra.storage.base import Storage
from infra.storage.keys import RECORD, record_key

FORMAT = 1
MEDIA_TYPE = "application/json"
READERS = 8  # records of one list that are read at once

log = get_logger()


class Archive:
    """The `job.json` of every archived job. Each call may raise StorageUnavailable."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def put(self, record: Mapping[str, str]) -> None:
        """Write a record, as the state server holds it. StorageFull."""
        document = {"format": FORMAT, "record": dict(record)}
        self._storage.put(record_key(record["owner"], record["id"]), dump(document).encode(), MEDIA_TYPE)

    def get(self, owner: str, job_id: str) -> Job | None:
        """The job; None when there is none, or none that can be read."""
        record = self.record(owner, job_id)
        return None if record is None else read_job(record)

    def record(self, owner: str, job_id: str) -> dict[str, str] | None:
        """The same, as `put` was given it."""
        try:
            found = self._storage.read(record_key(owner, job_id))
        except (ObjectNotFound, BadKey):
            return None
        try:
            return _record(found)
        except (ValueError, LookupError, TypeError) as error:
            log.error("A job.json cannot be read", action="archive.damaged", job_id=job_id, error=str(error))
            return None

    def get_many(self, names: Sequence[tuple[str, str]]) -> list[Job | None]:
        """The same for many (owner, job id), several at once."""
        with ThreadPoolExecutor(READERS) as readers:
            return list(readers.map(lambda name: self.get(*name), names))

    def delete(self, owner: str, job_id: str) -> None:
        """Remove a record; its artifacts stay, for the collector."""
        self._storage.delete(record_key(owner, job_id))

    def list(self) -> Iterator[tuple[str, str]]:
        """(owner, job id) of all. Reads every key of the storage."""
        for key in self._storage.list():
            owner, _, rest = key.partition("/")
            if key.count("/") == 2 and rest.endswith(f"/{RECORD}"):
                yield owner, rest.removesuffix(f"/{RECORD}")


def _record(found: bytes) -> dict[str, str]:
    document = json.loads(found)
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']}, and this code reads {FORMAT}")
    record: dict[str, str] = document["record"]
    read_job(record)
    return record
