"""The `atelier` command. Each command is a thin function over `atelier.Client`; see docs/cli.md."""

import importlib.metadata
from collections.abc import Callable
from typing import Annotated

import typer

from atelier.cli import generate, jobs, keys, models, operator, serve, upkeep, webhooks, write
from atelier.cli.chat import chat
from atelier.cli.common import Root, remember_url
from atelier.cli.doctor import doctor
from atelier.cli.flags import Maker
from atelier.cli.submit import submit
from atelier.cli.verify import verify

app = typer.Typer(
    name="atelier",
    cls=Root,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Make images, videos, music, text and code on your own machines: start a server, submit jobs, fetch"
    " what they made.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(importlib.metadata.version("atelier"))
        raise typer.Exit


UrlFlag = Annotated[
    str | None, typer.Option("--url", help="The server; ATELIER_URL or this home's when absent.")
]
VersionFlag = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
]


@app.callback()
def root(context: typer.Context, url: UrlFlag = None, version: VersionFlag = False) -> None:
    remember_url(context, url)


PANELS: dict[str, tuple[Callable[..., None] | Maker, ...]] = {
    "Serving": (serve.up, serve.demo, serve.worker, serve.api),
    "Making": (
        generate.image,
        generate.video,
        generate.music,
        generate.upscale,
        write.text,
        chat,
        write.code,
        submit,
    ),
    "Jobs": (jobs.jobs, jobs.show, jobs.watch, jobs.cancel, jobs.retry, jobs.get, jobs.delete, verify),
    "Webhooks": (webhooks.deliveries, webhooks.redeliver),
    "Operating": (
        operator.queues,
        operator.workers,
        operator.pause,
        operator.resume,
        operator.pauses,
        operator.owner,
        operator.front,
    ),
    "Administration": (doctor, upkeep.gc, upkeep.backup, upkeep.restore),
}
for panel, commands in PANELS.items():
    for command in commands:
        if isinstance(command, Maker):
            command.add_to(app, panel)
        else:
            app.command(rich_help_panel=panel)(command)
app.add_typer(webhooks.app, name="webhooks", rich_help_panel="Webhooks")
app.add_typer(models.app, name="models", rich_help_panel="Administration")
app.add_typer(keys.app, name="keys", rich_help_panel="Administration")


def main() -> None:
    """The console script."""
    app()
