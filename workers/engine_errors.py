"""Errors inside the engine: what is told of them, and which end it."""

from typing import Any

from pipelines.errors import EngineError, OutOfMemory, PipelineError, TransientEngineError

ORPHANED = 3
"""Exit code of an engine whose parent is gone."""

BROKEN_DEVICE = 4
"""Exit code of an engine whose device context is past use."""

SPOILED = 5
"""Exit code of an engine in which a run of several requests broke after some had spoken: nobody knows which
of them it was, so each is tried again alone."""


def translate(error: Exception) -> PipelineError:
    """Any exception of a family as one that can be told to users; its words stay in the log."""
    if isinstance(error, PipelineError):
        return error
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, unimported
        return OutOfMemory()
    if isinstance(error, OSError):  # its disk is full, or a mounted folder is away
        return TransientEngineError("The worker could not read or write its files.")
    if breaks_device(error):
        return TransientEngineError("The device reported an error; the engine is started again.")
    return EngineError(f"The model failed with an unexpected {type(error).__name__}.")


def breaks_device(error: Exception) -> bool:
    """Whether the device's context is past use after this error, so that only a new process helps."""
    return type(error).__name__ == "AcceleratorError" or "CUDA error" in str(error)


def error_as_json(error: PipelineError) -> dict[str, Any]:
    """As a message of the engine carries it."""
    return {"type": error.type, "title": error.title, "detail": error.detail, "retryable": error.retryable}
