"""Options that choose many jobs, which `jobs`, `cancel --all` and `retry --all` share."""

from dataclasses import dataclass
from typing import Annotated

import typer

from atelier.cli.output import Output

StatusFlag = Annotated[
    str | None, typer.Option("--status", help="queued, running, succeeded, failed or cancelled.")
]
KindFlag = Annotated[str | None, typer.Option("--kind", help="Only jobs of this kind.")]
ModelFlag = Annotated[str | None, typer.Option("--model", help="Only jobs of this model.")]
AllOwnersFlag = Annotated[
    bool, typer.Option("--all-owners", help="Jobs of all owners; needs a key with the scope admin.")
]
OwnerFlag = Annotated[str | None, typer.Option("--owner", help="Only jobs of this owner; with --all-owners.")]
QueueFlag = Annotated[str | None, typer.Option("--queue", help="Only jobs of this queue; with --all-owners.")]
EveryFlag = Annotated[
    bool, typer.Option("--all", help="All that match the filters, instead of one by its id.")
]


@dataclass(frozen=True)
class Chosen:
    """Which jobs the options mean."""

    status: str | None
    kind: str | None
    model: str | None
    all_owners: bool
    owner: str | None
    queue: str | None

    def filters(self) -> dict[str, str | None]:
        """For the client's calls."""
        own = {"status": self.status, "kind": self.kind, "model": self.model}
        if self.all_owners:
            return {**own, "owner": self.owner, "queue": self.queue}
        if self.owner or self.queue:
            raise typer.BadParameter("--owner and --queue go with --all-owners")
        return own

    def need_all(self, job_id: str | None, every: bool) -> None:
        """Wrong usage unless --all stands alone: nobody shall stop everything by leaving an id out."""
        if job_id is not None or not every:
            raise typer.BadParameter("give a job's id, or --all")

    def refuse(self) -> None:
        """Wrong usage if there is any filter beside an id."""
        if self != Chosen(None, None, None, False, None, None):
            raise typer.BadParameter("filters go with --all")


def tell_count(done: str, count: int, output: Output) -> None:
    """Say how many jobs a call for many has changed."""
    output.object({"count": count})
    output.result(f"{count} {'job' if count == 1 else 'jobs'} {done}")
