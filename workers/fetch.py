"""Input files: from the storage into the attempt's folder."""

import hashlib
from pathlib import Path

from infra.errors import JobGone, JobNotFound, ObjectNotFound
from infra.jobs.queue import JobQueue
from infra.jobs.record import Artifact, Job, Status
from infra.storage import Storage
from infra.storage.keys import artifact_key, upload_key
from pipelines.errors import InvalidInputs, Problem
from pipelines.kinds import FileRef, TextRef, pointer
from workers.attempt import LiveAttempt
from workers.errors import InputDamaged, InputMissing
from workers.patience import persist


class Fetcher:
    """Finds what a reference of an owner's job means, and fetches it."""

    def __init__(self, queue: JobQueue, storage: Storage, seconds: float) -> None:
        self._queue = queue
        self._storage = storage
        self._seconds = seconds
        """How long a service may be away before fetching a file fails."""

    def fetch(self, attempt: LiveAttempt, field: str, reference: FileRef | TextRef) -> Path:
        """The file, as `input-<field>` in the attempt's folder.

        Raises InputMissing, InputDamaged, InvalidInputs if it is of a sort that the field does not take,
        Interrupted, or that a service is still Unavailable.
        """
        return persist(lambda: self._fetch(attempt, field, reference), self._seconds, attempt.check)

    def _fetch(self, attempt: LiveAttempt, field: str, reference: FileRef | TextRef) -> Path:
        target, owner = attempt.folder / f"input-{field}", attempt.job.owner
        if isinstance(reference, FileRef) and reference.upload:
            self._copy(upload_key(owner, reference.upload), target, f"upload {reference.upload}")
            return target
        source = self._finished(owner, reference.job)
        artifact = _chosen(source, reference.artifact)
        needed = attempt.inputs.media.get(field, "text")
        if artifact.media_type.partition("/")[0] != needed:
            detail = f"artifact {artifact.name} of {source.id} is {artifact.media_type}, and no {needed}"
            raise InvalidInputs([Problem(pointer("inputs", field), detail)])
        key = artifact_key(owner, source.id, source.attempt_id or "", artifact.name)
        if self._copy(key, target, f"artifact {artifact.name} of {source.id}") != artifact.sha256:
            raise InputDamaged(f"Artifact {artifact.name} of {source.id} is not what its record states.")
        return target

    def _finished(self, owner: str, job_id: str) -> Job:
        try:
            job = self._queue.get(job_id, owner)
        except (JobNotFound, JobGone):
            raise InputMissing(f"There is no job {job_id}.") from None
        if job.status is not Status.SUCCEEDED:
            raise InputMissing(f"Job {job_id} has no artifacts: it is {job.status.value}.")
        return job

    def _copy(self, key: str, target: Path, name: str) -> str:
        """Write an object to a file; the digest of what was written."""
        digest = hashlib.sha256()
        try:
            with self._storage.open(key) as chunks, target.open("wb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    file.write(chunk)
        except ObjectNotFound:
            raise InputMissing(f"There is no {name}.") from None
        return digest.hexdigest()


def _chosen(job: Job, name: str) -> Artifact:
    """The artifact of this name; the first output for an empty one."""
    for artifact in job.artifacts:
        if artifact.name == name or (not name and artifact.role == "output" and artifact.index == 0):
            return artifact
    raise InputMissing(f"Job {job.id} has no artifact {name or 'of index 0'}.")
