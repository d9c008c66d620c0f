"""What is noted of each job that was accepted."""

from infra.jobs.record import Job
from infra.logs import get_logger
from infra.metrics import JOBS_SUBMITTED

log = get_logger()


def accepted(job: Job) -> None:
    """Count and log it."""
    JOBS_SUBMITTED.inc(kind=job.kind, model=job.model)
    log.info(
        "A job was accepted",
        action="job.accepted",
        job_id=job.id,
        owner=job.owner,
        kind=job.kind,
        model=job.model,
    )
