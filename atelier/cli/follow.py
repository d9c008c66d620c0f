"""Following one job to its end: a bar that moves, or plain lines; and what Ctrl-C does."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from atelier.cli.exits import Exit
from atelier.cli.output import Output
from atelier.records import Job

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from atelier.client import Client

DOUBT_SECONDS: Final = 5.0  # a worker that has just started is known within this time
PLAIN_STEP: Final = 0.25  # without a terminal a line is written each time so much of the job is done
SOON_SECONDS: Final = 1.0  # who waits no longer than this for a start is told nothing of the queue
ALMOST: Final = 0.99  # a bar's longest while the job is not over: what is stored is not there yet


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


def follow_to_start(client: "Client", job: Job, output: Output) -> None:
    """Return once a worker has taken the job. Shows where it waits, if it waits for long."""
    doubt = Doubt(client, output)
    silent_until = time.monotonic() + SOON_SECONDS
    with _display(output, transient=True) as display:
        for now in client.watch(job.id):
            if now.status != "queued":
                return
            if time.monotonic() > silent_until:
                display.show(now)
            doubt.consider(now)


def wants_cancel(job: Job, output: Output) -> bool:
    """Ask, where somebody can answer; a second Ctrl-C means no."""
    if not (sys.stdin.isatty() and output.live):
        return False
    try:
        answer = output.stderr.input(f"\nCancel {job.id}? [y/N] ", markup=False)
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
def _display(output: Output, *, transient: bool = False) -> Iterator[Display]:
    """transient: a bar is wiped away at its end."""
    if output.live:
        with bars(output, transient=transient) as progress:
            yield Bar(progress)
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
        self._output.note(f"{self._name or job.id} {line}{_soon(job)}{_steps(job)}")


class Bar:
    """For a terminal: one line that is drawn again and again."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._task = progress.add_task("…", visible=False, total=None, steps="")

    def show(self, job: Job) -> None:
        draw(self._progress, self._task, headline(job) + _soon(job), job)


def draw(progress: "Progress", number: "TaskID", description: str, job: Job) -> None:
    """Show where a job stands on its bar.

    `Progress.update` takes back neither a length nor an end, and a job that is tried again has neither.
    """
    bar = next(task for task in progress.tasks if task.id == number)
    if job.status not in ("failed", "cancelled"):  # these stay where they were
        bar.total, bar.completed = _length(job)
        bar.finished_time = None
    progress.update(number, description=description, visible=True, steps=_steps(job).strip())


def bars(output: Output, *, transient: bool = False) -> "Progress":
    """Where tasks get a bar each; their `steps` stand behind it."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[steps]}"),
        TimeElapsedColumn(),
        console=output.stderr,
        transient=transient,
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
    first = ", at the front" if job.front else ""
    held = ", paused by an operator" if job.paused else ""
    return f"queued{place}{first}{tried}{held}"


def _soon(job: Job) -> str:
    """When it may start. It is another number at each look, so it is no part of the headline."""
    seconds = job.estimated_start_seconds
    return f", starts in about {seconds:.0f} s" if seconds and job.status == "queued" else ""


def _length(job: Job) -> tuple[float | None, float]:
    """The bar's total and how much of it is done. Without a total it pulses: the job waits, or the model does
    not say how far it is."""
    if job.status == "succeeded":
        return 1.0, 1.0
    if job.status != "running" or job.progress is None:
        return None, 0.0
    loads = job.progress.stage == "loading"
    done = job.progress.loaded if loads else job.progress.fraction
    return (None, 0.0) if done is None else (1.0, min(done, ALMOST))


def _steps(job: Job) -> str:
    progress = job.progress
    if job.status != "running" or progress is None or not progress.steps:
        return ""
    return f" {progress.step or 0}/{progress.steps}"
