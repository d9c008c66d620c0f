"""What becomes of a job that a command has queued: it is followed, or printed as it comes, then fetched."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atelier.cli.common import finish
from atelier.cli.exits import Exit, exit_for_status
from atelier.cli.follow import Interrupted, follow, follow_to_start, leave_running, wants_cancel
from atelier.cli.harmless import harmless
from atelier.cli.output import Output
from atelier.errors import AtelierError
from atelier.records import Job

if TYPE_CHECKING:
    from atelier.client import Client

OutFlag = Annotated[Path, typer.Option("--out", help="Folder for what the job made; made if need be.")]


def see_through(client: "Client", job: Job, output: Output, out: Path | None) -> None:
    """Follow the job, fetch its outputs into `out` and end the command; at once if `out` is None."""
    if out is None:
        output.object(job.raw)
        output.result(job.id)
        finish(Exit.OK)
    else:
        with naming(job, output):
            try:
                job = follow(client, job, output)
            except Interrupted:
                finish(leave_running(job, output))
            code = conclude(client, job, output, out)
        finish(code)


@contextmanager
def naming(job: Job, output: Output) -> Iterator[None]:
    """If the server stays away, or a file cannot be written, the job is there all the same: say its id."""
    try:
        yield
    except BrokenPipeError:  # who reads what is printed has enough
        raise
    except (AtelierError, OSError):
        output.note(f"Come back to {job.id} with: atelier watch {job.id}")
        raise


def conclude(client: "Client", job: Job, output: Output, out: Path) -> Exit:
    """Fetch a final job's outputs, print where they lie (or why there are none); the exit code."""
    paths = fetch(client, job, out)
    output.object({**job.raw, "paths": [str(path) for path in paths]})
    for path in paths:
        output.result(str(path))
    tell_failure(job, output)
    return exit_for_status(job.status)


def fetch(client: "Client", job: Job, folder: Path) -> list[Path]:
    """The job's outputs as files `<job id>-<name>` in the folder."""
    return [client.download(job, each, folder / f"{job.id}-{each.name}") for each in job.outputs]


def tell_failure(job: Job, output: Output) -> None:
    if job.status == "failed" and job.error:
        output.note(f"{job.id} failed: {sentence(job.error.title)} {sentence(job.error.detail)}".rstrip())
        if job.error.retryable:
            output.note(f"It may work another time: atelier retry {job.id}")
    elif job.status == "cancelled":
        output.note(f"{job.id} was cancelled.")


def sentence(text: str) -> str:
    """With one full stop at its end."""
    return text.rstrip(".") + "." if text else ""


def print_while_made(client: "Client", job: Job, output: Output, out: Path | None) -> None:
    with naming(job, output):
        try:
            print_parts(client, job, output)
            job = client.get(job.id)
        except KeyboardInterrupt:
            print(flush=True)
            job = _cancelled_or_left(client, job, output)
        if out is not None:
            for path in fetch(client, job, out):
                output.note(str(path))
    tell_failure(job, output)
    finish(exit_for_status(job.status))


def print_parts(client: "Client", job: Job, output: Output) -> None:
    """Print a text as it is made. Into a file or a pipe it goes once it is whole: what an attempt that broke
    off has made cannot be taken back from there."""
    follow_to_start(client, job, output)
    seen = sys.stdout.isatty()
    held: list[str] = []
    try:
        for part in client.text(job.id):
            if part.restarted:
                output.note("\n[another attempt begins anew]")
                held.clear()
            if seen:
                print(harmless(part.text, sys.stdout), end="", flush=True)
            else:
                held.append(part.text)
    finally:
        print("".join(held), end="")
    print(flush=True)


def _cancelled_or_left(client: "Client", job: Job, output: Output) -> Job:
    """After Ctrl-C: the job once its cancel is done; ends the command if it is left running."""
    if wants_cancel(job, output):
        return client.wait(client.cancel(job.id).id)
    raise typer.Exit(leave_running(job, output))
