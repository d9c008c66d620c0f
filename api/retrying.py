"""The same request again: what its inputs need is kept before the new job is enqueued."""

from api.accepted import accepted
from api.problems import Problem, invalid
from api.services import services
from infra.jobs.record import Job, new_job_id
from infra.uploads import UploadNotFound
from pipelines.errors import RequestError
from pipelines.kinds import parse_inputs

GONE = "invalid_inputs"


def retry(old: Job, new_id: str | None = None) -> Job:
    """The new job; Problem 422 when an upload that it needs is gone."""
    new_id = new_id or new_job_id()
    _keep_uploads(old, new_id)
    job = services().queue.retry(old.id, old.owner, new_id)
    accepted(job)
    return job


def retry_if_possible(old: Job, new_id: str) -> bool:
    """For one of many: False when what it needs is gone."""
    try:
        retry(old, new_id)
    except RequestError:
        return False
    except Problem as problem:
        if problem.type.slug != GONE:
            raise
        return False
    return True


def _keep_uploads(job: Job, new_id: str) -> None:
    for field, ref in parse_inputs(job.kind, job.inputs).files().items():
        if ref.upload:
            _keep_upload(field, ref.upload, new_id)


def _keep_upload(field: str, upload_id: str, new_id: str) -> None:
    try:
        services().uploads.refer(upload_id, [new_id])
    except UploadNotFound:
        detail = "The upload that this job used is gone; submit a new job."
        raise invalid(f"/inputs/{field}/upload", detail, slug=GONE) from None
