"""`image`, `text`, `submit`: queue a job, follow it, fetch what it made."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atelier.cli import given
from atelier.cli.common import JsonFlag, client_of, finish, output_of
from atelier.cli.exits import Exit, exit_for_status
from atelier.cli.flags import takes_inputs
from atelier.cli.follow import Interrupted, follow, leave_running, wants_cancel
from atelier.cli.harmless import harmless
from atelier.cli.output import Output
from atelier.errors import InvalidInputs
from atelier.records import Job, Priority

if TYPE_CHECKING:
    from atelier.client import Client

ModelFlag = Annotated[str | None, typer.Option("--model", help="The model; the kind's default when absent.")]
PriorityFlag = Annotated[
    Priority | None, typer.Option("--priority", help="Where it stands among your own jobs.")
]
WebhookFlag = Annotated[
    str | None,
    typer.Option("--webhook", help="Who is told when it is over: the id of a webhook endpoint, or a URL."),
]
NoWaitFlag = Annotated[bool, typer.Option("--no-wait", help="Print the job's id and do not follow it.")]
OutFlag = Annotated[Path, typer.Option("--out", help="Folder for what the job made; made if need be.")]


@takes_inputs(["text-to-image", "image-to-image"], skip=["prompt", "width", "height", "image"])
def image(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="What the picture shows.")],
    *,
    source: Annotated[
        Path | None, typer.Option("--from", help="Start from this picture.", rich_help_panel="Inputs")
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", help="WIDTHxHEIGHT in pixels.", rich_help_panel="Inputs")
    ] = None,
    model: ModelFlag = None,
    priority: PriorityFlag = None,
    webhook: WebhookFlag = None,
    out: OutFlag = Path(),
    no_wait: NoWaitFlag = False,
    as_json: JsonFlag = False,
    inputs: dict[str, Any],
) -> None:
    """Make pictures from a description, and fetch them."""
    inputs = {"prompt": prompt, **inputs} | (given.size(size) if size else {})
    if source is not None:
        inputs["image"] = given.existing(source)
    kind = "image-to-image" if source is not None else "text-to-image"
    with client_of(context) as client:
        job = client.submit(kind, inputs, model=model, priority=priority, webhook=webhook)
        _see_through(client, job, output_of(context), None if no_wait else out)


@takes_inputs(["text"], skip=["prompt"])
def text(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="The text to go on from.")],
    *,
    model: ModelFlag = None,
    priority: PriorityFlag = None,
    webhook: WebhookFlag = None,
    out: Annotated[Path | None, typer.Option("--out", help="Keep the text in this folder too.")] = None,
    no_wait: NoWaitFlag = False,
    as_json: JsonFlag = False,
    inputs: dict[str, Any],
) -> None:
    """Write text that goes on from a prompt, printed while it is made."""
    output = output_of(context)
    with client_of(context) as client:
        inputs = {"prompt": prompt, **inputs}
        job = client.submit("text", inputs, model=model, priority=priority, webhook=webhook)
        if no_wait or output.as_json or inputs.get("n", 1) > 1:
            _see_through(client, job, output, None if no_wait else (out or Path()))
        else:
            _print_while_made(client, job, output, out)


def submit(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="What to do, such as text-to-image; see `GET /v1/kinds`.")],
    *,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input", "-i", metavar="NAME=VALUE", help="One input; NAME=@FILE takes a file. Repeat it."
        ),
    ] = None,
    model: ModelFlag = None,
    priority: PriorityFlag = None,
    webhook: WebhookFlag = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option("--metadata", metavar="NAME=VALUE", help="A note to keep with the job. Repeat it."),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--idempotency-key", help="The same key twice queues one job.")
    ] = None,
    out: OutFlag = Path(),
    no_wait: NoWaitFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Queue a job of any kind, follow it, and fetch what it made."""
    with client_of(context) as client:
        values = given.typed(given.split(inputs or ()), _schema(client, kind))
        job = client.submit(
            kind,
            values,
            model=model,
            priority=priority,
            webhook=webhook,
            metadata=given.split(metadata) if metadata else None,
            idempotency_key=key,
        )
        _see_through(client, job, output_of(context), None if no_wait else out)


def _schema(client: "Client", kind: str) -> dict[str, Any]:
    """The JSON schema of the kind's inputs, as this server has it."""
    known = {each["id"]: each for each in client.kinds()}
    if kind not in known:
        detail = f"there is no kind {kind!r}; this server knows {', '.join(known)}"
        raise InvalidInputs("unknown kind", detail, status=422, slug="unknown_kind")
    return dict(known[kind]["inputs"])


def _see_through(client: "Client", job: Job, output: Output, out: Path | None) -> None:
    """Follow the job, fetch its outputs into `out` and end the command; at once if `out` is None."""
    if out is None:
        output.object(job.raw)
        output.result(job.id)
        finish(Exit.OK)
    else:
        try:
            job = follow(client, job, output)
        except Interrupted:
            finish(leave_running(job, output))
        finish(conclude(client, job, output, out))


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


def _print_while_made(client: "Client", job: Job, output: Output, out: Path | None) -> None:
    try:
        _print_parts(client, job, output)
        job = client.get(job.id)
    except KeyboardInterrupt:
        print(flush=True)
        job = _cancelled_or_left(client, job, output)
    if out is not None:
        for path in fetch(client, job, out):
            output.note(str(path))
    tell_failure(job, output)
    finish(exit_for_status(job.status))


def _print_parts(client: "Client", job: Job, output: Output) -> None:
    for part in client.text(job.id):
        if part.restarted:
            output.note("\n[another attempt begins anew]")
        print(harmless(part.text, sys.stdout), end="", flush=True)
    print(flush=True)


def _cancelled_or_left(client: "Client", job: Job, output: Output) -> Job:
    """After Ctrl-C: the job once its cancel is done; ends the command if it is left running."""
    if wants_cancel(job, output):
        return client.wait(client.cancel(job.id).id)
    raise typer.Exit(leave_running(job, output))
