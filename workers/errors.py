"""What can go wrong in a worker with one job, outside the engine. The docstring is what users read as the
title.
"""

from typing import ClassVar

from pipelines.errors import ModelUnavailable


class WorkerError(Exception):
    """The worker could not carry out the job."""

    type: ClassVar[str] = "worker_error"
    """Stable slug; the type of the job's error."""
    retryable: ClassVar[bool] = False
    """Whether another attempt may succeed."""

    @property
    def title(self) -> str:
        """The class's one-line meaning, the same for every error of this type."""
        return (type(self).__doc__ or "").strip()

    @property
    def detail(self) -> str:
        """What happened this time, without prompts, paths or addresses; may be empty."""
        return str(self)


class ModelGivenUp(ModelUnavailable):
    """No live worker can run this model."""


class InputMissing(WorkerError):
    """A file that the job needs is not there any more."""

    type = "input_missing"


class InputDamaged(WorkerError):
    """A file that the job needs arrived damaged."""

    type = "input_damaged"
    retryable = True


class StorageFailed(WorkerError):
    """The object storage did not take the artifacts."""

    type = "storage_failed"
    retryable = True


class StorageRefuses(WorkerError):
    """The object storage refuses this worker; the job is given back."""

    type = "storage_refused"
    retryable = True


class EngineCrashed(WorkerError):
    """The engine ended in the midst of the work."""

    type = "engine_crashed"
    retryable = True


class EngineSilent(WorkerError):
    """The engine hung and was ended."""

    type = "engine_hung"
    retryable = True


class WorkerBroken(WorkerError):
    """The worker failed for a reason of its own."""

    type = "worker_broken"
    retryable = True
