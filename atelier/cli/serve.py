"""`up`, `demo`, `api`, `worker`: what serves jobs on this machine."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from atelier.cli.common import JsonFlag, finish, output_of, url_of
from atelier.cli.exits import Exit

HostFlag = Annotated[
    str | None, typer.Option("--host", help="Address to listen on; beyond loopback needs a key.")
]
PortFlag = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")
]
DeviceFlag = Annotated[
    str | None, typer.Option("--device", help="auto, cpu, cuda:N, or all: one worker a GPU.")
]


def up(
    context: typer.Context,
    host: HostFlag = None,
    port: PortFlag = None,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Workers to start; 0: only the API.")] = 1,
    device: DeviceFlag = None,
) -> None:
    """Start everything on this machine: state server, broker, API and workers. Ctrl-C stops it."""
    from atelier.up import CannotStart, run
    from infra.errors import HomeInUse, ServerStartError

    output = output_of(context)
    settings = _settings(host=host, port=port, device=device)
    try:
        run(settings, workers, _say)
    except HomeInUse as error:
        output.note(f"error: {error}")
        finish(Exit.RUNNING)
    except (CannotStart, ServerStartError) as error:
        output.note(f"error: {error}")
        finish(Exit.FAILED)


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # a reader or terminal that is gone must not take the servers with it
        print(line, flush=True)


def demo(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option("--home", help="Home folder to use; a temporary one when absent.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for what it makes.")] = Path("atelier-demo"),
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="The same seed makes the same; chosen when absent.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """A tale, its picture, that picture moving, a song, and a page of them, by the models that come along."""
    from atelier.cli.demo import run_demo

    finish(run_demo(output_of(context), home, url_of(context), out, seed))


def api(host: HostFlag = None, port: PortFlag = None) -> None:
    """Start one API server, which takes the place of this command."""
    _become("api", host=host, port=port)


def worker(
    queues: Annotated[
        str | None, typer.Option("--queues", help="Queues to serve, separated by commas.")
    ] = None,
    device: DeviceFlag = None,
) -> None:
    """Start one worker, which takes the place of this command."""
    _become("workers", queues=queues, device=device)


def _settings(**given: Any) -> Any:
    """The settings of the environment, with those that were given on the command line."""
    from infra.settings import load_settings, variable

    return load_settings(
        {**os.environ, **{variable(name): str(value) for name, value in _set(given).items()}}
    )


def _become(package: str, **given: Any) -> None:
    from atelier.part import OWN_CODE_ONLY
    from infra.settings import variable

    set_here = {variable(name): str(value) for name, value in _set(given).items()}
    environment = {**os.environ, **OWN_CODE_ONLY, **set_here}
    os.execve(sys.executable, [sys.executable, "-m", package], environment)  # noqa: S606 - our own program


def _set(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
