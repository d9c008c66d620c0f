"""`submit`: a job of any kind that the server knows, whatever kinds this command knows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atelier.cli import given
from atelier.cli.common import JsonFlag, client_of, output_of
from atelier.cli.making import ModelFlag, NoWaitFlag, PriorityFlag, WebhookFlag
from atelier.cli.outcome import OutFlag, see_through
from atelier.errors import InvalidInputs

if TYPE_CHECKING:
    from atelier.client import Client


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
        see_through(client, job, output_of(context), None if no_wait else out)


def _schema(client: "Client", kind: str) -> dict[str, Any]:
    """The JSON schema of the kind's inputs, as this server has it."""
    known = {each["id"]: each for each in client.kinds()}
    if kind not in known:
        detail = f"there is no kind {kind!r}; this server knows {', '.join(known)}"
        raise InvalidInputs("unknown kind", detail, status=422, slug="unknown_kind")
    return dict(known[kind]["inputs"])
