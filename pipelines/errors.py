"""What can go wrong in a pipeline, grouped by what the caller can do about it. Loads nothing heavy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Problem:
    """One bad value: `pointer` is its place in the request (RFC 6901, e.g. `/inputs/steps`)."""

    pointer: str
    detail: str


class PipelineError(Exception):
    """A pipeline could not do what it was asked."""

    type: ClassVar[str] = "pipeline_error"
    """Stable slug of this error; becomes the type of a job's error or of an API problem."""
    retryable: ClassVar[bool] = False
    """Whether the same request may succeed when it is run again."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.title)

    @property
    def title(self) -> str:
        """The class's one-line meaning, the same for every error of this type."""
        return (type(self).__doc__ or "").strip().splitlines()[0]

    @property
    def detail(self) -> str:
        return str(self)


class RequestError(PipelineError):
    """The request cannot be served as it was written."""

    type = "bad_request"
    pointer: ClassVar[str] = ""

    @property
    def problems(self) -> tuple[Problem, ...]:
        return (Problem(self.pointer, self.detail),)


class UnknownKind(RequestError):
    """There is no such kind."""

    type = "unknown_kind"
    pointer = "/kind"


class UnknownModel(RequestError):
    """No model of this name does this kind."""

    type = "unknown_model"
    pointer = "/model"


class InvalidInputs(RequestError):
    """Some inputs are not valid."""

    type = "invalid_inputs"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{p.pointer}: {p.detail}" for p in problems))
        self._problems = tuple(problems)

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self._problems


class PromptBlocked(InvalidInputs):
    """The prompt asks for something that is blocked here."""

    type = "prompt_blocked"

    def __init__(self, problems: Sequence[Problem], categories: Sequence[str] = ()) -> None:
        super().__init__(problems)
        self.categories = tuple(categories)


class OutputBlocked(PipelineError):
    """What the model made is blocked here."""

    type = "output_blocked"


class FolderRefused(PipelineError):
    """This folder cannot be added as a model."""

    type = "folder_refused"


class LicenceNotAccepted(PipelineError):
    """The operator has not accepted the licence of this model."""

    type = "licence_not_accepted"


class PullFailed(PipelineError):
    """The weights could not be fetched from the model hub."""

    type = "pull_failed"
    retryable = True


class Stopped(PipelineError):
    """Every request of the batch has been stopped."""

    type = "stopped"


class OutOfMemory(PipelineError):
    """The device had too little memory for this batch."""

    type = "out_of_memory"
    retryable = True


class ModelUnavailable(PipelineError):
    """The model cannot be loaded on this machine."""

    type = "model_unavailable"


class EngineError(PipelineError):
    """The model failed while it ran."""

    type = "engine_error"


class TransientEngineError(EngineError):
    """The model failed while it ran, for a reason that may pass."""

    type = "engine_error_transient"
    retryable = True
