"""What all commands share: the root group, the common options, and how a command gets its client."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from atelier.cli.exits import Exit, exit_for
from atelier.cli.output import Output
from atelier.errors import AtelierError
from infra.errors import BadSetting

if TYPE_CHECKING:
    from atelier.client import Client

_OUTPUT = "atelier.output"
_URL = "atelier.url"


def _remember_json(context: typer.Context, value: bool) -> bool:
    context.meta[_OUTPUT] = Output(as_json=value)
    return value


JsonFlag = Annotated[
    bool,
    typer.Option("--json", callback=_remember_json, help="For programs: one JSON object on stdout, no bars."),
]


class Root(TyperGroup):
    """The `atelier` command: turns every error into a message and an exit code, in one place."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except AtelierError as error:
            output_of(ctx).error(error)
            raise typer.Exit(exit_for(error)) from None
        except BadSetting as error:
            output_of(ctx).refuse(str(error))
            raise typer.Exit(Exit.INVALID) from None
        except BrokenPipeError:  # typer's own business
            raise
        except OSError as error:  # a file or folder of the person, which the error names
            output_of(ctx).refuse(str(error))
            raise typer.Exit(Exit.FAILED) from None
        except KeyboardInterrupt:
            raise typer.Exit(Exit.INTERRUPTED) from None


def remember_url(context: typer.Context, url: str | None) -> None:
    context.meta[_URL] = url


def output_of(context: Any) -> Output:
    """The output of the command that runs in this context."""
    return context.meta.get(_OUTPUT) or Output()


def url_of(context: typer.Context) -> str | None:
    """The server that `--url` names."""
    url: str | None = context.meta.get(_URL)
    return url


@contextmanager
def client_of(context: typer.Context) -> Iterator["Client"]:
    """A client of the server that the command is meant for."""
    from atelier.client import Client

    with Client(url_of(context)) as client:
        yield client


def finish(code: int) -> None:
    """End the command with this exit code."""
    raise typer.Exit(code)
