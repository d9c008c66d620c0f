"""`jobs`, `show`, `watch`, `cancel`, `retry`, `get`, `delete`: what was submitted before."""

from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atelier.cli.common import JsonFlag, client_of, finish, output_of
from atelier.cli.exits import Exit
from atelier.cli.follow import headline
from atelier.cli.many import (
    AllOwnersFlag,
    Chosen,
    EveryFlag,
    KindFlag,
    ModelFlag,
    OwnerFlag,
    QueueFlag,
    StatusFlag,
    tell_count,
)
from atelier.cli.outcome import OutFlag, fetch, see_through, tell_failure
from atelier.cli.table import ago, print_table
from atelier.records import Artifact, Attempt, Job, time_of

if TYPE_CHECKING:  # it loads the HTTP library, which --help can do without
    from atelier.operator import OwnedJob

JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, `job_…`.")]
OneJobId = Annotated[
    str | None, typer.Argument(metavar="ID", show_default=False, help="The job's id, `job_…`.")
]


def jobs(
    context: typer.Context,
    *,
    status: StatusFlag = None,
    kind: KindFlag = None,
    model: ModelFlag = None,
    all_owners: AllOwnersFlag = False,
    owner: OwnerFlag = None,
    queue: QueueFlag = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """List jobs, newest first."""
    output = output_of(context)
    chosen = Chosen(status, kind, model, all_owners, owner, queue)
    with client_of(context) as client:
        if all_owners:
            owned = list(islice(client.operator.jobs(**chosen.filters()), limit))
            output.object({"data": [job.raw for job in owned]})
            rows = [_owned_row(job) for job in owned]
            head = ["ID", "OWNER", "KIND", "MODEL", "QUEUE", "STATE", "CREATED"]
        else:
            own = list(islice(client.jobs(**chosen.filters()), limit))
            output.object({"data": [job.raw for job in own]})
            rows = [[job.id, job.kind, job.model, headline(job), ago(job.created_at)] for job in own]
            head = ["ID", "KIND", "MODEL", "STATE", "CREATED"]
    if not output.as_json:
        print_table(head, rows)


def show(context: typer.Context, job_id: JobId, as_json: JsonFlag = False) -> None:
    """Everything that is known about a job."""
    output = output_of(context)
    with client_of(context) as client:
        job = client.get(job_id)
    output.object(job.raw)
    for line in _description(job):
        output.result(line)


def watch(context: typer.Context, job_id: JobId, out: OutFlag = Path(), as_json: JsonFlag = False) -> None:
    """Follow a job to its end, and fetch what it made."""
    output = output_of(context)
    with client_of(context) as client:
        see_through(client, client.get(job_id), output, out)


def get(context: typer.Context, job_id: JobId, out: OutFlag = Path(), as_json: JsonFlag = False) -> None:
    """Fetch what a succeeded job made."""
    output = output_of(context)
    with client_of(context) as client:
        job = client.get(job_id)
        paths = fetch(client, job, out)
    output.object({"id": job.id, "status": job.status, "paths": [str(path) for path in paths]})
    for path in paths:
        output.result(str(path))
    if job.status != "succeeded":
        output.note(f"{job.id} is {job.status}; only a succeeded job has outputs.")
        tell_failure(job, output)
        finish(Exit.FAILED)


def cancel(
    context: typer.Context,
    job_id: OneJobId = None,
    *,
    every: EveryFlag = False,
    status: StatusFlag = None,
    kind: KindFlag = None,
    model: ModelFlag = None,
    all_owners: AllOwnersFlag = False,
    owner: OwnerFlag = None,
    queue: QueueFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Stop a job, or with --all every one that matches; one that has ended stays as it is."""
    output = output_of(context)
    chosen = Chosen(status, kind, model, all_owners, owner, queue)
    with client_of(context) as client:
        if job_id is None or every:
            chosen.need_all(job_id, every)
            call = client.operator.cancel if all_owners else client.cancel_many
            tell_count("cancelled", call(**chosen.filters()), output)
            return
        chosen.refuse()
        job = client.cancel(job_id)
    output.object(job.raw)
    output.result(f"{job.id} {job.status if job.final else 'stops at its next step'}")


def retry(
    context: typer.Context,
    job_id: OneJobId = None,
    out: OutFlag = Path(),
    *,
    every: EveryFlag = False,
    status: StatusFlag = None,
    kind: KindFlag = None,
    model: ModelFlag = None,
    all_owners: AllOwnersFlag = False,
    owner: OwnerFlag = None,
    queue: QueueFlag = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Print the new job's id and do not follow it.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run the same inputs again as a new job, seed included; with --all those of every failed or cancelled
    job that matches and was not retried yet."""
    output = output_of(context)
    chosen = Chosen(status, kind, model, all_owners, owner, queue)
    with client_of(context) as client:
        if job_id is None or every:
            chosen.need_all(job_id, every)
            call = client.operator.retry if all_owners else client.retry_many
            tell_count("retried", call(**chosen.filters()), output)
            return
        chosen.refuse()
        see_through(client, client.retry(job_id), output, None if no_wait else out)


def delete(context: typer.Context, job_id: JobId, as_json: JsonFlag = False) -> None:
    """Remove a job and what it made; a running one is stopped first."""
    output = output_of(context)
    with client_of(context) as client:
        client.delete(job_id)
    output.object({"id": job_id, "deleted": True})
    output.result(f"{job_id} deleted")


def _owned_row(job: "OwnedJob") -> list[object]:
    state = f"{job.status}, at the front" if job.front and job.status == "queued" else job.status
    return [job.id, job.owner, job.kind, job.model, job.queue, state, ago(job.created_at)]


def _description(job: Job) -> list[str]:
    facts: list[tuple[str, Any]] = [
        ("id", job.id),
        ("state", headline(job)),
        ("kind", job.kind),
        ("model", job.model),
        ("created", job.created_at),
        ("started", job.started_at),
        ("finished", job.finished_at),
        ("expires", time_of(job.raw.get("expires_at"))),
        ("retry of", job.retry_of),
        ("webhook", job.webhook),
        ("error", job.error and f"{job.error.type}: {job.error.detail or job.error.title}"),
    ]
    lines = [f"{name:10} {_plain(value)}" for name, value in facts if value]
    lines += [
        f"input      {name} = {value}" for name, value in job.inputs.items() if value not in (None, "", [])
    ]
    lines += [f"metadata   {name} = {value}" for name, value in job.metadata.items()]
    lines += [_attempt(each) for each in job.attempts]
    return lines + [_artifact(each) for each in job.artifacts]


def _plain(value: object) -> str:
    return value.astimezone().isoformat(" ", "seconds") if isinstance(value, datetime) else str(value)


def _attempt(attempt: Attempt) -> str:
    reason = f" ({attempt.error.detail or attempt.error.title})" if attempt.error else ""
    where = f" on {attempt.worker}" if attempt.worker else ""
    return f"attempt    {attempt.number}{where}: {attempt.outcome or 'runs'}{reason}"


def _artifact(artifact: Artifact) -> str:
    size = f", {artifact.width}x{artifact.height}" if artifact.width else ""
    seed = f", seed {artifact.seed}" if artifact.seed is not None else ""
    return f"{artifact.role:10} {artifact.name}: {artifact.media_type}{size}, {artifact.bytes} bytes{seed}"
