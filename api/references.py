"""Files and texts that inputs refer to: the owner's uploads, and artifacts of the owner's other jobs."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.downloads import ARTICLES, Downloads, Wanted
from api.problems import Fault
from api.services import services
from infra.errors import JobNotFound
from infra.jobs.record import Artifact, Job, Status
from infra.uploads import UploadNotFound
from pipelines.kinds import FileRef, Inputs, Media, TextRef, parse_inputs

SUFFIXES: dict[str, str] = {
    **dict.fromkeys(("png", "webp", "jpg"), "image"),
    **dict.fromkeys(("mp4", "webm"), "video"),
    **dict.fromkeys(("flac", "wav", "ogg", "mp3", "mid"), "audio"),
    **dict.fromkeys(("gif", "zip"), "nothing that a field takes"),
}
"""What artifacts hold by the ends of their names; all others hold what their job makes."""


@dataclass(frozen=True)
class Need:
    """What one field must be given."""

    at: str  # pointer to the field
    field: str
    media: Media

    def fault(self, part: str, given: str) -> Fault:
        """What was given is of another sort."""
        return Fault(f"{self.at}/{part}", f"{given}; {ARTICLES[self.media]} is needed.")


class References:
    """Checks the references of one request's jobs; collects what is wrong in `faults`."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._uploads: dict[str, list[str]] = defaultdict(list)
        self.faults: list[Fault] = []
        self._downloads = Downloads(self.faults)

    def check(
        self, place: str, job_id: str, inputs: Inputs, stored: dict[str, Any], chained: Mapping[str, Media]
    ) -> tuple[str, ...]:
        """Ids of the jobs to wait for. An artifact that is there already is named in `stored`.

        `chained` says what the jobs before this one in the list will make.
        """
        waits_for = []
        for field, ref in inputs.references().items():
            need = Need(f"{place}/inputs/{field}", field, inputs.media.get(field, "text"))
            if isinstance(ref, FileRef) and ref.upload:
                self._check_upload(need, ref.upload, job_id)
            elif isinstance(ref, FileRef) and ref.url:
                self._downloads.add(Wanted(need.at, field, ref.url, job_id, stored, need.media))
            elif ref.job in chained:
                self._check_promise(need, ref, chained[ref.job])
                waits_for.append(ref.job)
            elif (job := self._job(need, ref.job)) is None:
                continue
            elif not job.status.final:
                self._check_promise(need, ref, parse_inputs(job.kind, job.inputs).gives())
                waits_for.append(ref.job)
            elif (artifact := self._artifact(need, job, ref.artifact)) is not None:
                stored[field] = {"job": ref.job, "artifact": artifact.name}
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

    def _check_upload(self, need: Need, upload_id: str, job_id: str) -> None:
        try:
            upload = services().uploads.get(upload_id, self._owner)
        except UploadNotFound as error:
            self.faults.append(Fault(f"{need.at}/upload", str(error)))
            return
        self._uploads[upload_id].append(job_id)
        if need.media != upload.media_type.partition("/")[0]:
            self.faults.append(need.fault("upload", f"That upload is {upload.media_type}"))

    def _check_promise(self, need: Need, ref: FileRef | TextRef, gives: Media) -> None:
        """Of a job that is not finished: what it will make, or what the name of its artifact says."""
        suffix = ref.artifact.rpartition(".")[2]
        if SUFFIXES.get(suffix, gives) == need.media:
            return
        if suffix in SUFFIXES:
            self.faults.append(need.fault("artifact", f"An artifact of that name is no {need.media}"))
        else:
            self.faults.append(need.fault("job", f"That job makes {ARTICLES[gives]}"))

    def _job(self, need: Need, job_id: str) -> Job | None:
        try:
            job = services().queue.get(job_id, self._owner)
        except JobNotFound as error:
            self.faults.append(Fault(f"{need.at}/job", str(error)))
            return None
        if job.status in (Status.FAILED, Status.CANCELLED):
            detail = f"That job is {job.status}, so it has no artifacts."
            self.faults.append(Fault(f"{need.at}/job", detail))
            return None
        return job

    def _artifact(self, need: Need, job: Job, name: str) -> Artifact | None:
        outputs = [each for each in job.artifacts if (each.name == name if name else each.index == 0)]
        found = next((each for each in outputs if each.role == "output"), next(iter(outputs), None))
        if found is None:
            detail = f"That job has no artifact {name or 'with index 0'!r}."
            self.faults.append(Fault(f"{need.at}/artifact", detail))
        elif found.media_type == "image/gif" or found.media_type.partition("/")[0] != need.media:
            self.faults.append(need.fault("artifact", f"That artifact is {found.media_type}"))
            return None
        return found
