"""Files that inputs refer to: the owner's uploads, and artifacts of the owner's other jobs."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from api.downloads import Downloads, Wanted
from api.problems import Fault
from api.services import services
from infra.errors import JobNotFound
from infra.jobs.record import Artifact, Job, Status
from infra.uploads import UploadNotFound
from pipelines.kinds import FileRef


class References:
    """Checks the file references of one request's jobs; collects what is wrong in `faults`."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._uploads: dict[str, list[str]] = defaultdict(list)
        self.faults: list[Fault] = []
        self._downloads = Downloads(self.faults)

    def check(
        self, place: str, job_id: str, files: Mapping[str, FileRef], inputs: dict[str, Any], chained: set[str]
    ) -> tuple[str, ...]:
        """Ids of the jobs to wait for. An artifact that is there already is named in `inputs`."""
        waits_for: list[str] = []
        for field, ref in files.items():
            at = f"{place}/inputs/{field}"
            if ref.upload:
                self._check_upload(at, ref.upload, job_id)
            elif ref.url:
                self._downloads.add(Wanted(at, field, ref.url, job_id, inputs))
            elif ref.job in chained or ((job := self._job(at, ref.job)) is not None and not job.status.final):
                waits_for.append(ref.job)
            elif job is not None and (artifact := self._artifact(at, job, ref.artifact)) is not None:
                inputs[field] = {"job": ref.job, "artifact": artifact.name}
        return tuple(dict.fromkeys(waits_for))

    def download(self) -> None:
        """Replace the URLs by uploads of what they gave."""
        for wanted, upload in self._downloads.fetch():
            wanted.inputs[wanted.field] = {"upload": upload.id}
            self._uploads[upload.id].append(wanted.job_id)

    def keep_uploads(self) -> None:
        """Prolong the uploads' lives for the jobs that will use them."""
        for upload_id, job_ids in self._uploads.items():
            services().uploads.refer(upload_id, job_ids)

    def _check_upload(self, at: str, upload_id: str, job_id: str) -> None:
        try:
            upload = services().uploads.get(upload_id, self._owner)
        except UploadNotFound as error:
            self._fault(f"{at}/upload", str(error))
            return
        self._uploads[upload_id].append(job_id)
        if not upload.media_type.startswith("image/"):
            self._fault(f"{at}/upload", f"That upload is {upload.media_type}; an image is needed.")

    def _job(self, at: str, job_id: str) -> Job | None:
        try:
            job = services().queue.get(job_id, self._owner)
        except JobNotFound as error:
            self._fault(f"{at}/job", str(error))
            return None
        if job.status in (Status.FAILED, Status.CANCELLED):
            self._fault(f"{at}/job", f"That job is {job.status}, so it has no artifacts.")
            return None
        return job

    def _artifact(self, at: str, job: Job, name: str) -> Artifact | None:
        outputs = [each for each in job.artifacts if (each.name == name if name else each.index == 0)]
        found = next((each for each in outputs if each.role == "output"), next(iter(outputs), None))
        if found is None:
            self._fault(f"{at}/artifact", f"That job has no artifact {name or 'with index 0'!r}.")
        elif not found.media_type.startswith("image/"):
            self._fault(f"{at}/artifact", f"That artifact is {found.media_type}; an image is needed.")
            return None
        return found

    def _fault(self, pointer: str, detail: str) -> None:
        self.faults.append(Fault(pointer, detail))
