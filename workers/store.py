"""Artifacts and manifest: from the attempt's folder into the storage."""

import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, fields
from typing import Any

from infra.crash_points import CrashPoint, crash_point
from infra.errors import InfraError, StorageFull, StorageRefused, StorageUnavailable
from infra.jobs.record import Artifact
from infra.logs import get_logger
from infra.storage import Storage
from infra.storage.keys import artifact_key, attempt_prefix, manifest_key
from pipelines.outputs import File
from workers.attempt import LiveAttempt
from workers.errors import StorageFailed
from workers.patience import persist

log = get_logger()

MANIFEST_SCHEMA = 1

SIDE_BY_SIDE = 8
"""Files that one worker stores at a time: each waits for a sync, or for the answer of a server."""


class Store:
    """Puts what an attempt has made where readers will find it, if the attempt is committed."""

    def __init__(self, storage: Storage, seconds: float) -> None:
        self._storage = storage
        self._seconds = seconds
        """Longest time for all files of an attempt."""
        self._puts = ThreadPoolExecutor(SIDE_BY_SIDE, "store")

    def put_files(self, attempt: LiveAttempt) -> None:
        """Store all files, side by side; `attempt.artifacts` says what is stored. Raises StorageFailed,
        StorageRefused, Interrupted, once none is on its way any more."""
        give_up = time.monotonic() + self._seconds
        puts = [self._puts.submit(self._put_file, attempt, file, give_up) for file in attempt.made]
        wait(puts)
        attempt.artifacts += [put.result() for put in puts]

    def _put_file(self, attempt: LiveAttempt, file: File, give_up: float) -> Artifact:
        attempt.check()
        key = artifact_key(attempt.job.owner, attempt.job.id, attempt.id, file.name)
        if self._put(attempt, key, file, file.media_type, give_up) != file.sha256:
            raise StorageFailed(f"{file.name} changed on its way to the storage.")
        crash_point(CrashPoint.AFTER_ARTIFACT)
        return _artifact(file)

    def put_manifest(self, attempt: LiveAttempt) -> None:
        """Store the list of artifacts, by whose digest readers follow them. Raises StorageFailed,
        Interrupted.
        """
        data = json.dumps(manifest(attempt), ensure_ascii=False, sort_keys=True).encode()
        key = manifest_key(attempt.job.owner, attempt.job.id, attempt.id)
        self._put(attempt, key, data, "application/json", time.monotonic() + self._seconds)
        attempt.manifest_key, attempt.manifest_sha256 = key, hashlib.sha256(data).hexdigest()

    def drop(self, attempt: LiveAttempt) -> None:
        """Remove what an attempt without a result has stored; what cannot be removed is the collector's."""
        try:
            self._storage.delete_prefix(attempt_prefix(attempt.job.owner, attempt.job.id, attempt.id))
        except InfraError as error:
            log.warning(
                "An attempt's files are left to the collector", action="attempt.left", error=str(error)
            )

    def _put(
        self, attempt: LiveAttempt, key: str, source: File | bytes, media_type: str, give_up: float
    ) -> str:
        content = source if isinstance(source, bytes) else source.path
        seconds = max(0.0, give_up - time.monotonic())
        try:
            stored = persist(lambda: self._storage.put(key, content, media_type), seconds, attempt.check)
        except StorageRefused:
            raise
        except (StorageUnavailable, StorageFull) as error:
            raise StorageFailed from error  # its words name hosts and buckets: for the log, not for users
        return stored.sha256


def manifest(attempt: LiveAttempt) -> dict[str, Any]:
    """What was made, by what, from what: enough to make it again and to check every file."""
    job, model = attempt.job, attempt.model
    return {
        "schema": MANIFEST_SCHEMA,
        "generator": "Atelier",
        "job": job.id,
        "attempt": attempt.id,
        "kind": job.kind,
        "model": model.name,
        "revision": model.revision,
        "seed": job.inputs["seed"],
        "inputs": attempt.inputs.as_json(),
        "artifacts": [_entry(file) for file in attempt.made],
    }


def _entry(file: File) -> dict[str, Any]:
    return {name: value for name, value in asdict(file).items() if name != "path"}


def _artifact(file: File) -> Artifact:
    known = {field.name: getattr(file, field.name) for field in fields(Artifact)}
    return Artifact(**known)
