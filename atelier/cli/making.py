"""What all commands that make something share: where the job goes, and what becomes of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atelier.cli.common import JsonFlag, output_of
from atelier.cli.outcome import print_while_made, see_through
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
KeepFlag = Annotated[
    Path | None,
    typer.Option(
        "--out", help="Folder for what the job made; the current one when absent. Texts are kept only in one."
    ),
]


@dataclass(frozen=True)
class Making:
    """The options of a command that makes something, as they were typed."""

    context: typer.Context
    model: str | None
    priority: Priority | None
    webhook: str | None
    out: Path | None
    no_wait: bool

    def submit(self, client: "Client", kind: str, inputs: dict[str, Any]) -> Job:
        """Queue the job."""
        return client.submit(kind, inputs, model=self.model, priority=self.priority, webhook=self.webhook)

    def see_through(self, client: "Client", job: Job) -> None:
        """Follow it, fetch what it made, and end the command."""
        out = None if self.no_wait else (self.out or Path())
        see_through(client, job, output_of(self.context), out)

    def print_while_made(self, client: "Client", job: Job, texts: int) -> None:
        """Print a text as it comes, and end the command; several at once are files."""
        output = output_of(self.context)
        if self.no_wait or output.as_json or texts > 1:
            self.see_through(client, job)
        else:
            print_while_made(client, job, output, self.out)


def options(
    *,
    context: typer.Context,
    model: ModelFlag = None,
    priority: PriorityFlag = None,
    webhook: WebhookFlag = None,
    out: KeepFlag = None,
    no_wait: NoWaitFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """The parameters of such a command, for `flags.makes`; `--json` is read where it is parsed."""
