"""`models`: what the server offers, and what this home has: pulled, added, verified, removed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atelier.cli.common import JsonFlag, client_of, finish, output_of
from atelier.cli.exits import Exit
from atelier.cli.output import Output
from atelier.cli.pulling import shown
from atelier.cli.table import bytes_text, print_table
from atelier.errors import AtelierError
from pipelines.errors import FolderRefused, PipelineError, PullFailed, UnknownModel

if TYPE_CHECKING:
    from atelier.models import HomeModels
    from pipelines.models import Model

#: Fields of a model that `show` leaves out: the list's shape, and the JSON Schema of the inputs.
FOR_PROGRAMS = frozenset({"object", "created", "owned_by", "inputs"})

FOLLOWED = "The API and the workers of this home see it within seconds, without a restart."

Name = Annotated[str, typer.Argument(help="The model's name, such as house/scenes.")]

app = typer.Typer(no_args_is_help=True, help="Models: list, show, pull, add, verify, remove, accept.")


@app.command("list")
def list_models(
    context: typer.Context,
    kind: Annotated[str | None, typer.Option("--kind", help="Only models that do this kind.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those of this home's catalog that nobody has pulled.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """The models that the server offers; with --all also what could be pulled, which needs no server."""
    output = output_of(context)
    if everything:
        _list_home(output, kind)
        return
    with client_of(context) as client:
        models = [each for each in client.models() if kind is None or kind in each.get("kinds", ())]
    output.object({"data": models})
    if not output.as_json:
        fields = ("licence", "workers", "warm")
        rows = [[each["id"], ",".join(each["kinds"]), *(each[field] for field in fields)] for each in models]
        print_table(["MODEL", "KINDS", "LICENCE", "WORKERS", "LOADED"], rows)


@app.command()
def show(context: typer.Context, name: Name, as_json: JsonFlag = False) -> None:
    """Everything that is said about a model."""
    output = output_of(context)
    catalog = _home().catalog()
    row = None if name in catalog.models else catalog.rows.get(name)  # one that nobody has pulled here
    try:
        with client_of(context) as client:
            known = {each["id"]: each for each in client.models()}
    except AtelierError:  # none, or none that answers us
        if row is None:
            raise
        known = {}
    if name in known:
        _print_fields(output, known[name])
    elif row is not None:
        _print_fields(output, _as_json(row))
    else:
        output.refuse(f"there is no model {name!r}; this server knows {', '.join(known) or 'none'}")
        finish(Exit.NOT_FOUND)


@app.command()
def pull(context: typer.Context, name: Name, as_json: JsonFlag = False) -> None:
    """Fetch a model's weights from the model hub; one that was stopped half-way goes on where it was."""
    output = output_of(context)
    with _told(output), shown(output) as progress:
        model = _home().pull(name, progress)
    output.object(_as_json(model))
    output.result(f"{model.name} is at {model.weights}, revision {model.revision}")
    output.note(FOLLOWED)


@app.command()
def accept(context: typer.Context, name: Name, as_json: JsonFlag = False) -> None:
    """Accept the licence of a model that is not for commercial use. Read it first."""
    output = output_of(context)
    with _told(output):
        model = _home().accept(name)
    output.object(_as_json(model))
    output.result(f"the licence of {model.name} ({model.licence}) is accepted in this home")


@app.command()
def add(
    context: typer.Context,
    what: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|FILE.toml",
            help="Weights (safetensors) in the layout of their library, or rows of a catalog.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="What to call the folder's model: OWNER/NAME.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Add a folder of weights on this machine, or the rows of a TOML file, to the catalog of this home."""
    output, home = output_of(context), _home()
    into = home.settings.places.models
    with _told(output):
        models = home.add(what, name)
    for model in models:
        size = bytes_text(model.memory_bytes)
        output.result(f"{model.name} ({', '.join(model.kinds)}; {size}) is in {into}")
    added: list[dict[str, Any]] = [
        {"id": model.name, "family": model.family, "kinds": list(model.kinds), "file": str(into)}
        for model in models
    ]
    output.object(added[0] if len(added) == 1 else {"data": added})
    output.note(FOLLOWED)


@app.command()
def verify(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="The model's name; all that are here when left out.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Read every file of a model's weights and compare it with what was pulled or added."""
    output, home = output_of(context), _home()
    with _told(output):
        models = (
            [home.find(name)] if name else [each for each in home.catalog().rows.values() if each.weights]
        )
        found = {model.name: home.verify(model.name, lambda file: None) for model in models}
    output.object({"data": [{"id": each, "problems": problems} for each, problems in found.items()]})
    for each, problems in found.items():
        for problem in problems:
            output.result(f"✗ {each}: {problem}")
        if not problems:
            output.result(f"✓ {each}")
    if any(found.values()):
        finish(Exit.FAILED)


@app.command()
def remove(context: typer.Context, name: Name, as_json: JsonFlag = False) -> None:
    """Take a model out of this home: what was pulled with its files, what was added without them."""
    output = output_of(context)
    with _told(output):
        deleted = _home().remove(name)
    output.object({"id": name, "deleted": str(deleted) if deleted else None})
    output.result(f"{name} is removed" + (f", and {deleted} deleted" if deleted else "; its weights stay"))
    output.note(FOLLOWED)


def _home() -> "HomeModels":
    from atelier.models import HomeModels
    from infra.settings import load_settings

    return HomeModels(load_settings())


def _list_home(output: Output, kind: str | None) -> None:
    rows = [row for row in _home().catalog().rows.values() if kind is None or kind in row.kinds]
    output.object({"data": [_as_json(model) for model in rows]})
    if not output.as_json:
        print_table(
            ["MODEL", "KINDS", "LICENCE", "MEMORY", "STATE"],
            [
                [
                    model.name,
                    ",".join(model.kinds) or "(classifier)",
                    model.licence,
                    bytes_text(model.memory_bytes),
                    _state(model),
                ]
                for model in rows
            ],
        )


def _state(model: "Model") -> str:
    if model.refused_by_licence:
        return "licence"
    if not model.offered:
        return "not pulled"
    return "here" if model.is_here() else "weights missing"


def _as_json(model: "Model") -> dict[str, Any]:
    row = model.model_dump(mode="json", exclude_defaults=True, exclude={"name", "loras"})
    return {"id": model.name, "state": _state(model), **row}


def _print_fields(output: Output, fields: dict[str, Any]) -> None:
    output.object(fields)
    for field, value in fields.items():
        if field not in FOR_PROGRAMS:
            output.result(f"{field:16} {_text(value)}")


@contextmanager
def _told(output: Output) -> Iterator[None]:
    """Say what went wrong in a pipeline's words, and end with the exit code for it."""
    try:
        yield
    except PipelineError as error:
        output.object({"error": {"type": error.type, "title": error.title, "detail": error.detail}})
        output.note(f"error: {error}")
        codes = {FolderRefused: Exit.INVALID, UnknownModel: Exit.NOT_FOUND, PullFailed: Exit.UNREACHABLE}
        finish(codes.get(type(error), Exit.FAILED))


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
