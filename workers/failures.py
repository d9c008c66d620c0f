"""What an error means for the attempt in which it was raised."""

from infra.errors import StateUnavailable, StorageRefused, StorageUnavailable
from infra.jobs.record import JobError, Outcome
from infra.logs import get_logger
from pipelines.errors import ModelUnavailable, PipelineError
from workers.attempt import Failure, Interrupted, LiveAttempt, Stop
from workers.engine_client import EngineDeaf, EngineDied, EngineFailure, EngineHung
from workers.errors import (
    EngineCrashed,
    EngineSilent,
    ModelGivenUp,
    StorageFailed,
    StorageRefuses,
    WorkerBroken,
    WorkerError,
)

log = get_logger()

OUTCOMES = {
    Stop.CANCELLED: Outcome.CANCELLED,
    Stop.TIMED_OUT: Outcome.TIMED_OUT,
    Stop.LOST: Outcome.LOST,
    Stop.RELEASED: Outcome.RELEASED,
}

NOTHING_TO_TELL = Failure(Outcome.LOST)
"""The attempt is over for the queue, or the queue cannot be reached: then the lease ends it."""


REFUSALS_MOST = 3
"""Times that one worker gives a job back because the storage refuses; from then on it counts as a failure."""


def failure_of(error: Exception, attempt: LiveAttempt) -> Failure:
    """The failure to note. What is unexpected is a bug of ours: logged, and retryable."""
    match error:
        case Interrupted():
            failure = Failure(OUTCOMES[error.stop])
        case EngineFailure() if attempt.stop is not None:  # it had to end anyway
            failure = Failure(OUTCOMES[attempt.stop])
        case EngineDied():
            failure = Failure(Outcome.CRASHED, _job_error(EngineCrashed(str(error))))
        case EngineDeaf():  # another one of its run had to end
            failure = Failure(Outcome.RELEASED)
        case EngineHung():
            failure = Failure(Outcome.CRASHED, _job_error(EngineSilent(str(error))))
        case ModelGivenUp():
            failure = Failure(Outcome.FAILED, _job_error(error))
        case PipelineError() | WorkerError():
            failure = told_failure(_job_error(error))
        case StorageRefused():
            log.error("The storage refuses", action="storage.refused", error=str(error))
            outcome = Outcome.FAILED if _refused_often(attempt) else Outcome.RELEASED
            failure = Failure(outcome, _job_error(StorageRefuses()))
        case StorageUnavailable():
            failure = Failure(Outcome.FAILED, _job_error(StorageFailed()))
        case StateUnavailable():
            failure = NOTHING_TO_TELL
        case _:
            log.error("A step broke", action="attempt.broken", exc_info=error)
            failure = Failure(Outcome.FAILED, _job_error(WorkerBroken(f"Unexpected {type(error).__name__}.")))
    return failure


def told_failure(error: JobError) -> Failure:
    """The failure for an error that is told to users. A model that this worker cannot load is no fault of the
    job: it is given back, not counted.
    """
    unavailable = error.type == ModelUnavailable.type
    return Failure(Outcome.RELEASED if unavailable else Outcome.FAILED, error)


def _refused_often(attempt: LiveAttempt) -> bool:
    """Whether the storage, which this worker has found well in between, has something against this job."""
    worker = attempt.job.attempts[-1].worker
    refused = [
        each
        for each in attempt.job.attempts
        if each.worker == worker and each.error and each.error.type == StorageRefuses.type
    ]
    return len(refused) >= REFUSALS_MOST


def _job_error(error: PipelineError | WorkerError) -> JobError:
    return JobError(type=error.type, title=error.title, detail=error.detail, retryable=error.retryable)
