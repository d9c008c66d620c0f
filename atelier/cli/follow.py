"""Following one job to its end: a bar that moves, or plain lines; and what Ctrl-C does."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from atelier.cli.exits import Exit
from atelier.cli.output import Output
from atelier.records import Job

if TYPE_CHECKING:
    from rich.progress import Progress

    from atelier.client import Client

DOUBT_SECONDS: Final = 5.0  # a worker that has just started is known within this time
PLAIN_STEP: Final = 0.25  # without a terminal a line is written each time so much of the job is done


class Interrupted(Exception):
    """Ctrl-C, and the person leaves the job running."""


class Display(Protocol):
    """Something that shows where a job stands."""

    def show(self, job: Job) -> None: ...


def follow(client: "Client", job: Job, output: Output) -> Job:
    """The job once it is final. Ctrl-C offers to cancel it; raises Interrupted when it is left running."""
    while True:
        try:
            with _display(output) as display:
                doubt = Doubt(client, output)
                for now in client.watch(job.id):
                    job = now
                    display.show(job)
                    doubt.consider(job)
            return job
        except KeyboardInterrupt:
            if not wants_cancel(job, output):
                raise Interrupted from None
            job = client.cancel(job.id)


def wants_cancel(job: Job, output: Output) -> bool:
    """Ask, where somebody can answer; a second Ctrl-C means no."""
    if not (sys.stdin.isatty() and output.live):
        return False
    try:
        answer = output.stderr.input(f"\nCancel {job.id}? [y/N] ")
    except (KeyboardInterrupt, EOFError):
        output.note("")
        return False
    return answer.strip().lower() in {"y", "yes"}


def leave_running(job: Job, output: Output) -> Exit:
    """Say that the job goes on and how to come back to it."""
    output.object({"id": job.id, "status": job.status, "interrupted": True})
    output.note(f"{job.id} goes on. Watch it: atelier watch {job.id}   Stop it: atelier cancel {job.id}")
    return Exit.INTERRUPTED


class Doubt:
    """Says once why a job that has waited for a while may wait for ever: no worker can run its model."""

    def __init__(self, client: "Client", output: Output) -> None:
        self._client = client
        self._output = output
        self._look_at: float | None = time.monotonic() + DOUBT_SECONDS

    def consider(self, job: Job) -> None:
        if self._look_at is None or job.status != "queued" or time.monotonic() < self._look_at:
            return
        self._look_at = None
        able = {each["id"]: each.get("workers", 1) for each in self._client.models()}
        if not able.get(job.model, 0):
            self._output.note(f"no live worker can run {job.model}, so it waits; `atelier doctor` says more")


@contextmanager
def _display(output: Output) -> Iterator[Display]:
    if output.live:
        with Bar(output) as bar:
            yield bar
    else:
        yield Lines(output)


class Lines:
    """For logs and pipes: one line for each thing worth telling, after the name or else the job's id."""

    def __init__(self, output: Output, name: str = "") -> None:
        self._output = output
        self._name = name
        self._last = ""
        self._told = 0.0

    def show(self, job: Job) -> None:
        line = headline(job)
        fraction = job.progress.fraction if job.progress and job.status == "running" else 0.0
        if line == self._last and fraction < self._told + PLAIN_STEP:
            return
        self._last, self._told = line, fraction
        self._output.note(f"{self._name or job.id} {line}{_steps(job)}")


class Bar:
    """For a terminal: one line that is drawn again and again."""

    def __init__(self, output: Output) -> None:
        self._progress = bars(output)
        self._task = self._progress.add_task("…", total=None, steps="")

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, job: Job) -> None:
        self._progress.update(self._task, description=headline(job), **measure(job))


def bars(output: Output) -> "Progress":
    """Where tasks get a bar each; their `steps` stand behind it."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[steps]}"),
        TimeElapsedColumn(),
        console=output.stderr,
        transient=False,
    )


def headline(job: Job) -> str:
    """Where a job stands, in a few words."""
    if job.status == "queued":
        return _place(job)
    if job.status == "running":
        return _stage(job) + (f", attempt {len(job.attempts)}" if len(job.attempts) > 1 else "")
    if job.status == "failed" and job.error:
        return f"failed: {job.error.type}"
    return job.status


def _stage(job: Job) -> str:
    stage = (job.progress and job.progress.stage) or "running"
    return "loading the model" if stage == "loading" else stage


def _place(job: Job) -> str:
    tried = f", attempt {len(job.attempts)} ended" if job.attempts else ""
    place = f", place {job.position}" if job.position else ""
    soon = job.estimated_start_seconds
    first = ", at the front" if job.front else ""
    held = ", paused by an operator" if job.paused else ""
    return f"queued{place}{first}{tried}{held}" + (f", starts in about {soon:.0f} s" if soon else "")


def measure(job: Job) -> dict[str, Any]:
    """The bar's length. Without a total it pulses: the job waits, or the model does not say how far it is."""
    if job.status == "succeeded":
        return {"total": 1.0, "completed": 1.0, "steps": ""}
    if job.status != "running" or job.progress is None:
        return {"total": None, "steps": ""}
    if job.progress.stage == "loading":
        return {
            "total": None if job.progress.loaded is None else 1.0,
            "completed": job.progress.loaded,
            "steps": "",
        }
    return {"total": 1.0, "completed": job.progress.fraction, "steps": _steps(job).strip()}


def _steps(job: Job) -> str:
    progress = job.progress
    if job.status != "running" or progress is None or not progress.steps:
        return ""
    return f" {progress.step or 0}/{progress.steps}"
