"""`text`, `code`: words, printed while they are made."""

from typing import Annotated, Any

import typer

from atelier.cli import given
from atelier.cli.common import client_of
from atelier.cli.flags import makes
from atelier.cli.making import Making
from atelier.cli.source import PromptFromFlag, prompt


@makes(["text"], skip=["prompt"])
def text(
    words: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="The text to go on from.", show_default=False)
    ] = None,
    *,
    prompt_from: PromptFromFlag = None,
    making: Making,
    inputs: dict[str, Any],
) -> None:
    """Write text that goes on from a prompt, printed while it is made."""
    _write(making, "text", inputs | prompt(words, prompt_from))


@makes(["code"], skip=["prompt"])
def code(
    words: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="What the code should do.", show_default=False)
    ] = None,
    *,
    making: Making,
    inputs: dict[str, Any],
) -> None:
    """Write code, printed while it is made: by an instruction, going on from --prefix, or up to --suffix.

    --prefix @FILE and --suffix @FILE take a file's text.
    """
    for name in {"prefix", "suffix"} & inputs.keys():
        inputs[name] = given.words(inputs[name])
    _write(making, "code", inputs | prompt(words, None))


def _write(making: Making, kind: str, inputs: dict[str, Any]) -> None:
    with client_of(making.context) as client:
        job = making.submit(client, kind, inputs)
        making.print_while_made(client, job, texts=inputs.get("n", 1))
