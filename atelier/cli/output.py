"""Where the command writes: results to stdout, everything else to stderr; bars only to a terminal."""

import json
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

from atelier.cli.harmless import harmless
from atelier.errors import AtelierError, Refused, Unauthorized, Unreachable

if TYPE_CHECKING:
    from rich.console import Console


class Output:
    """One command's output. as_json: a program reads it, so stdout gets exactly one JSON object."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json

    @cached_property
    def stderr(self) -> "Console":
        """For bars and questions."""
        from rich.console import Console

        return Console(stderr=True, highlight=False)

    @property
    def live(self) -> bool:
        """Whether somebody sees a bar that moves."""
        if self.as_json or not sys.stderr.isatty():
            return False
        return self.stderr.is_terminal and not self.stderr.is_dumb_terminal

    def result(self, line: str) -> None:
        """A line of what was asked for; nothing with --json, which answers with `object` alone."""
        if not self.as_json:
            print(harmless(line, sys.stdout), flush=True)

    def object(self, value: Any) -> None:
        """The one JSON object of --json; nothing otherwise."""
        if self.as_json:
            print(json.dumps(value, ensure_ascii=False), flush=True)

    def note(self, line: str) -> None:
        """A message to the person."""
        print(harmless(line, sys.stderr), file=sys.stderr, flush=True)

    def refuse(self, reason: str) -> None:
        """Say why the command cannot do what it was asked."""
        self.object({"error": {"type": "refused", "title": reason}})
        self.note(f"error: {reason}")

    def error(self, error: AtelierError) -> None:
        """Say what went wrong, and the way out where there is one."""
        self.object({"error": _as_json(error)})
        problems = error.problems if isinstance(error, Refused) else ()
        self.note(f"error: {error.title if isinstance(error, Refused) and problems else error}")
        for problem in problems:
            self.note(f"  {problem.pointer or '/'}: {problem.detail}")
        if hint := _way_out(error):
            self.note(hint)


def _way_out(error: AtelierError) -> str:
    if isinstance(error, Unreachable):
        return "Start a server with `atelier up`, or set ATELIER_URL to where one runs."
    if isinstance(error, Unauthorized) and error.slug == "forbidden":
        return "`atelier keys create OWNER --scope admin` makes a key that may, on the server's machine."
    if isinstance(error, Unauthorized):
        return "Set ATELIER_API_KEY; `atelier keys create` makes a key on the server's machine."
    return ""


def _as_json(error: AtelierError) -> dict[str, Any]:
    if not isinstance(error, Refused):
        return {"type": type(error).__name__, "title": str(error)}
    problems = [{"pointer": each.pointer, "detail": each.detail} for each in error.problems]
    return {"type": error.slug, "title": error.title, "detail": error.detail, "errors": problems}
