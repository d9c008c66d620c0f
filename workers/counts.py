"""What the metrics learn from a worker."""

import time

from infra.jobs.record import Status
from infra.metrics import (
    ATTEMPTS,
    ENGINE_RESTARTS,
    JOB_RUN_SECONDS,
    JOB_WAIT_SECONDS,
    JOBS_FINISHED,
    LEASES_LOST,
)
from workers.attempt import LiveAttempt, Stop

PHASES = {"fetch_inputs": "fetch", "store_artifacts": "store", "commit": "commit"}
"""The lifecycle's steps that take time, as `job_run_seconds` calls them. `load` is a part of `run`."""


def began(attempt: LiveAttempt) -> None:
    """An attempt has been claimed."""
    job = attempt.job
    if len(job.attempts) == 1 and job.started_at is not None:
        JOB_WAIT_SECONDS.observe((job.started_at - job.created_at) / 1000, queue=job.queue, kind=job.kind)


def passed(attempt: LiveAttempt, step: str, seconds: float) -> None:
    """A step has gone well."""
    if step in PHASES:
        JOB_RUN_SECONDS.observe(seconds, model=attempt.job.model, phase=PHASES[step])


def ran(attempt: LiveAttempt) -> None:
    """The engine has told the end of an attempt."""
    if attempt.failure is None and attempt.stop is None:
        seconds = time.monotonic() - attempt.handed_over
        JOB_RUN_SECONDS.observe(seconds, model=attempt.job.model, phase="run")


def loaded(attempt: LiveAttempt, seconds: float) -> None:
    """The engine has loaded the attempt's model."""
    JOB_RUN_SECONDS.observe(seconds, model=attempt.job.model, phase="load")


def ended(attempt: LiveAttempt) -> None:
    """An attempt is over."""
    ATTEMPTS.inc(model=attempt.job.model, outcome=attempt.outcome.value)
    if attempt.stop is Stop.LOST:
        LEASES_LOST.inc()


def finished(attempt: LiveAttempt, status: Status) -> None:
    """The attempt has ended its job, too."""
    JOBS_FINISHED.inc(kind=attempt.job.kind, model=attempt.job.model, status=status.value)


def engine_ended(reason: str) -> None:
    """An engine is gone that was still wanted: `died`, `hung` or `deaf`."""
    ENGINE_RESTARTS.inc(reason=reason)
