"""`chat`: one answer, or a conversation at the terminal."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atelier.cli.common import client_of, finish, output_of
from atelier.cli.exits import Exit, exit_for, exit_for_status
from atelier.cli.flags import makes
from atelier.cli.making import Making
from atelier.cli.outcome import fetch, print_parts, tell_failure
from atelier.cli.output import Output
from atelier.errors import AtelierError

if TYPE_CHECKING:
    from atelier.client import Client

PROMPT = "> "


@makes(["chat"], skip=["messages"])
def chat(
    *,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="Say this, print the answer, and end.")
    ] = None,
    system: Annotated[str | None, typer.Option("--system", help="The rules of the conversation.")] = None,
    making: Making,
    inputs: dict[str, Any],
) -> None:
    """Talk with a model: each line of the input is a message, and the answer is printed while it is made.

    Ctrl-C stops an answer; Ctrl-D, or the end of the input, ends the conversation.
    """
    begun = [{"role": "system", "content": system}] if system is not None else []
    with client_of(making.context) as client:
        if message is not None:
            messages = [*begun, {"role": "user", "content": message}]
            job = making.submit(client, "chat", {**inputs, "messages": messages})
            making.print_while_made(client, job, texts=inputs.get("n", 1))
        elif output_of(making.context).as_json or making.no_wait or inputs.get("n", 1) > 1:
            raise typer.BadParameter("--json, --no-wait and --n go with --message")
        else:
            finish(Conversation(client, making, inputs, begun).run())


class Conversation:
    """What was said so far. A turn that gave no answer is forgotten."""

    def __init__(
        self, client: "Client", making: Making, inputs: dict[str, Any], begun: list[dict[str, str]]
    ) -> None:
        self._client = client
        self._making = making
        self._inputs = inputs
        self._messages = begun
        self._output: Output = output_of(making.context)

    def run(self) -> Exit:
        """Answer every line; the exit code is that of the last answer."""
        code = Exit.OK
        for line in _lines():
            code = self._answer(line)
        return code

    def _answer(self, line: str) -> Exit:
        asked = [*self._messages, {"role": "user", "content": line}]
        try:
            job = self._making.submit(self._client, "chat", {**self._inputs, "messages": asked})
        except AtelierError as error:
            self._output.error(error)
            return exit_for(error)
        try:
            print_parts(self._client, job, self._output)
        except KeyboardInterrupt:
            print(flush=True)
            job = self._client.cancel(job.id)
        job = self._client.wait(job.id)
        if job.status != "succeeded":
            tell_failure(job, self._output)
            return exit_for_status(job.status)
        if self._making.out is not None:
            fetch(self._client, job, self._making.out)
        answer = self._client.read(job, job.outputs[0]).decode()
        self._messages = [*asked, {"role": "assistant", "content": answer}]
        return Exit.OK


def _lines() -> Iterator[str]:
    """The messages: what is typed, without blank lines."""
    while True:
        typed, seen = sys.stdin.isatty(), sys.stdout.isatty()
        if typed and not seen:  # the prompt is no part of what goes into the file
            print(PROMPT, end="", file=sys.stderr, flush=True)
        try:
            line = input(PROMPT if typed and seen else "")
        except EOFError:
            print(flush=True)
            return
        except UnicodeDecodeError as error:
            raise typer.BadParameter("the input is not text in UTF-8") from error
        if line.strip():
            yield line
