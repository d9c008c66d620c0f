"""`gc`, `backup`, `restore`: they work on the servers themselves, not over HTTP."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from atelier.cli.common import JsonFlag, finish


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be removed.")] = False,
    strangers: Annotated[
        bool,
        typer.Option(
            "--strangers",
            help="Remove objects of unknown jobs even when there are more of them than known ones.",
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Remove at once what the server removes by and by: what has expired, and what nothing names."""
    flags = {"--dry-run": dry_run, "--strangers": strangers}
    run_admin(["gc", *(flag for flag, given in flags.items() if given)], as_json)


def backup(
    file: Annotated[Path, typer.Argument(help="The new file. It holds secrets and prompts.")],
    as_json: JsonFlag = False,
) -> None:
    """Write jobs, keys and webhooks to a file, while everything runs. Artifacts are not in it."""
    run_admin(["backup", str(file)], as_json)


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `backup` wrote.")],
    as_json: JsonFlag = False,
) -> None:
    """Read a backup into an empty state server. Jobs that ran are queued again."""
    run_admin(["restore", str(file)], as_json)


def run_admin(arguments: list[str], as_json: bool) -> None:
    """Run one of the operator's commands of `infra`, and end as it ends."""
    command = [sys.executable, "-P", "-m", "infra.admin", *arguments, *(["--json"] if as_json else [])]
    with subprocess.Popen(command) as running:
        while True:
            # It has heard a Ctrl-C, too: it ends by itself, and leaves nothing half done.
            with suppress(KeyboardInterrupt):
                finish(running.wait())
