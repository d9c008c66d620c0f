"""`keys`: API keys, kept on the state server. Works beside the server, not over HTTP."""

from typing import Annotated

import typer

from atelier.cli.common import JsonFlag
from atelier.cli.upkeep import run_admin

app = typer.Typer(
    no_args_is_help=True, help="API keys: create, list, revoke. Run it on the server's machine."
)


@app.command()
def create(
    owner: Annotated[
        str, typer.Argument(help="Whose jobs the key may see; keys of one owner share them.")
    ] = "local",
    name: Annotated[str, typer.Option("--name", help="What the key is for.")] = "",
    scope: Annotated[
        str | None, typer.Option("--scope", help="`admin`: it may operate the server, for all owners.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a key and print it, this once."""
    wishes = {"--name": name, "--scope": scope}
    given = [word for flag, value in wishes.items() if value for word in (flag, value)]
    run_admin(["keys", "create", owner, *given], as_json)


@app.command("list")
def list_keys(as_json: JsonFlag = False) -> None:
    """The keys that exist; never their secret part."""
    run_admin(["keys", "list"], as_json)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `list` shows it.")],
    as_json: JsonFlag = False,
) -> None:
    """Make a key worthless, at once."""
    run_admin(["keys", "revoke", key_id], as_json)
