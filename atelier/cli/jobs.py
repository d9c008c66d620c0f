"""`jobs`, `show`, `watch`, `cancel`, `retry`, `get`, `delete`: what was submitted before."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from atelier.cli.common import JsonFlag, client_of, finish, output_of
from atelier.cli.exits import Exit
from atelier.cli.follow import Interrupted, follow, headline, leave_running
from atelier.cli.generate import OutFlag, conclude, fetch, tell_failure
from atelier.cli.table import ago, print_table
from atelier.records import Artifact, Attempt, Job

JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, `job_…`.")]


def jobs(
    context: typer.Context,
    *,
    status: Annotated[
        str | None, typer.Option("--status", help="queued, running, succeeded, failed or cancelled.")
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only jobs of this kind.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Only jobs of this model.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """List jobs, newest first."""
    output = output_of(context)
    found: list[Job] = []
    with client_of(context) as client:
        for job in client.jobs(status=status, kind=kind, model=model):
            found.append(job)
            if len(found) == limit:
                break
    output.object({"data": [job.raw for job in found]})
    if not output.as_json:
        rows = [[each.id, each.kind, each.model, headline(each), ago(each.created_at)] for each in found]
        print_table(["ID", "KIND", "MODEL", "STATE", "CREATED"], rows)


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
        job = client.get(job_id)
        try:
            job = follow(client, job, output)
        except Interrupted:
            finish(leave_running(job, output))
        finish(conclude(client, job, output, out))


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


def cancel(context: typer.Context, job_id: JobId, as_json: JsonFlag = False) -> None:
    """Stop a job; one that has ended stays as it is."""
    output = output_of(context)
    with client_of(context) as client:
        job = client.cancel(job_id)
    output.object(job.raw)
    output.result(f"{job.id} {job.status if job.final else 'stops at its next step'}")


def retry(
    context: typer.Context,
    job_id: JobId,
    out: OutFlag = Path(),
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Print the new job's id and do not follow it.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run the same inputs again as a new job, seed included."""
    output = output_of(context)
    with client_of(context) as client:
        job = client.retry(job_id)
        if no_wait:
            output.object(job.raw)
            output.result(job.id)
            return
        try:
            job = follow(client, job, output)
        except Interrupted:
            finish(leave_running(job, output))
        finish(conclude(client, job, output, out))


def delete(context: typer.Context, job_id: JobId, as_json: JsonFlag = False) -> None:
    """Remove a job and what it made; a running one is stopped first."""
    output = output_of(context)
    with client_of(context) as client:
        client.delete(job_id)
    output.object({"id": job_id, "deleted": True})
    output.result(f"{job_id} deleted")


def _description(job: Job) -> list[str]:
    facts: list[tuple[str, Any]] = [
        ("id", job.id),
        ("state", headline(job)),
        ("kind", job.kind),
        ("model", job.model),
        ("created", job.created_at),
        ("started", job.started_at),
        ("finished", job.finished_at),
        ("retry of", job.retry_of),
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
