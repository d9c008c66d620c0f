"""The command's exit codes, which scripts may rely on. docs/cli.md lists them, and a test compares."""

from enum import IntEnum

from atelier import errors


class Exit(IntEnum):
    """How a command ended; the text under each is its line in the documentation."""

    OK = 0
    """It did what was asked."""
    FAILED = 1
    """The job failed, or the command could not do its work for a reason that has no code of its own."""
    INVALID = 2
    """Wrong usage: an unknown option, or inputs that the server refuses."""
    UNREACHABLE = 3
    """No server answers, or it is down or full for now."""
    UNAUTHORIZED = 4
    """The API key is missing, unknown or revoked, or may not do this."""
    CANCELLED = 5
    """The job was cancelled."""
    NOT_FOUND = 6
    """There is no such job, model or artifact."""
    RUNNING = 7
    """`atelier up` runs already on this home."""
    INTERRUPTED = 130
    """Ctrl-C; a job that was being watched goes on."""


def exit_for(error: errors.AtelierError) -> Exit:
    """The exit code that tells this error to a script."""
    match error:
        case errors.InvalidInputs():
            return Exit.INVALID
        case errors.Unauthorized():
            return Exit.UNAUTHORIZED
        case errors.NotFound() | errors.Gone():
            return Exit.NOT_FOUND
        case errors.Unreachable() | errors.Unavailable() | errors.LimitReached() | errors.BadAnswer():
            return Exit.UNREACHABLE
        case _:
            return Exit.FAILED


def exit_for_status(status: str) -> Exit:
    """The exit code for a final job's status."""
    return {"succeeded": Exit.OK, "cancelled": Exit.CANCELLED}.get(status, Exit.FAILED)
