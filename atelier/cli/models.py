"""`models`: what the server offers, and adding a folder of weights to this machine's catalog."""

from pathlib import Path
from typing import Annotated

import typer

from atelier.cli.common import JsonFlag, client_of, finish, output_of
from atelier.cli.exits import Exit
from atelier.cli.table import bytes_text, print_table

#: Fields of a model that `show` leaves out: the list's shape, and the JSON Schema of the inputs.
FOR_PROGRAMS = frozenset({"object", "created", "owned_by", "inputs"})

app = typer.Typer(no_args_is_help=True, help="Models: list, show, add a folder of weights.")


@app.command("list")
def list_models(
    context: typer.Context,
    kind: Annotated[str | None, typer.Option("--kind", help="Only models that do this kind.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """The models that the server offers."""
    output = output_of(context)
    with client_of(context) as client:
        models = [each for each in client.models() if kind is None or kind in each.get("kinds", ())]
    output.object({"data": models})
    if not output.as_json:
        fields = ("licence", "workers", "warm")
        rows = [[each["id"], ",".join(each["kinds"]), *(each[field] for field in fields)] for each in models]
        print_table(["MODEL", "KINDS", "LICENCE", "WORKERS", "LOADED"], rows)


@app.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The model's name, such as house/scenes.")],
    as_json: JsonFlag = False,
) -> None:
    """Everything that the server says about a model."""
    output = output_of(context)
    with client_of(context) as client:
        known = {each["id"]: each for each in client.models()}
    if name not in known:
        output.note(f"error: there is no model {name!r}; this server knows {', '.join(known) or 'none'}")
        finish(Exit.NOT_FOUND)
    output.object(known[name])
    for field, value in known[name].items():
        if field not in FOR_PROGRAMS:
            output.result(f"{field:16} {_text(value)}")


@app.command()
def add(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="A folder of weights (safetensors) in the layout of its library.")
    ],
    name: Annotated[str | None, typer.Option("--name", help="What to call it: OWNER/NAME.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Add a folder of weights on this machine to the catalog of this home."""
    from infra.settings import load_settings
    from pipelines.catalog import add_folder
    from pipelines.errors import PipelineError

    output = output_of(context)
    into = load_settings().places.models
    into.parent.mkdir(parents=True, exist_ok=True)
    try:
        model = add_folder(folder, into, name)
    except PipelineError as error:
        output.object({"error": {"type": error.type, "title": error.title, "detail": error.detail}})
        output.note(f"error: {error}")
        finish(Exit.INVALID)
    output.object({"id": model.name, "family": model.family, "kinds": list(model.kinds), "file": str(into)})
    output.result(f"{model.name} ({', '.join(model.kinds)}; {bytes_text(model.memory_bytes)}) is in {into}")
    output.note("Start `atelier up`, or your API and workers, again so that they read it.")


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
