"""docs/cli.md and docs/client.md name everything that there is; the command starts fast and without torch."""

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from atelier import Client, errors
from atelier.cli import app
from atelier.cli.exits import Exit, exit_for, exit_for_status

DOCS = Path(__file__).parents[3] / "docs"
ATELIER = [sys.executable, "-m", "atelier"]


def first_cells(document: str) -> list[str]:
    """What stands in backticks, or alone, in the first column of the document's tables."""
    return re.findall(r"^\| `?([\w ]+?)`? \|", (DOCS / document).read_text(), re.MULTILINE)


def test_every_command_is_documented():
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]

    assert commands == {cell for cell in first_cells("cli.md") if not cell.isdecimal()} - {
        "Command",
        "Exit code",
    }


def test_every_exit_code_is_documented():
    rows = re.findall(r"^\| (\d+) \| (\w+) \| (.+?) \|$", (DOCS / "cli.md").read_text(), re.MULTILINE)

    assert {(int(code), name) for code, name, _ in rows} == {(int(each), each.name.lower()) for each in Exit}
    source = Path(sys.modules[Exit.__module__].__file__ or "").read_text()
    for code, _, meaning in rows:
        assert f'= {code}\n    """{meaning}"""\n' in source


def test_every_call_of_the_client_is_documented():
    calls = {name for name in vars(Client) if not name.startswith("_")}

    assert calls <= set(first_cells("client.md"))


def test_every_error_is_documented():
    kinds = {
        name
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, errors.AtelierError)
    }

    assert kinds - {"AtelierError"} <= set(first_cells("client.md"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.Unreachable("x"), 3),
        (errors.BadAnswer("x"), 3),
        (errors.BrokenDownload("x"), 1),
        (errors.error_for(422, {}), 2),
        (errors.error_for(401, {}), 4),
        (errors.error_for(404, {}), 6),
        (errors.error_for(410, {}), 6),
        (errors.error_for(429, {}), 3),
        (errors.error_for(503, {}), 3),
        (errors.error_for(507, {}), 1),
    ],
)
def test_errors_have_exit_codes(error, code):
    assert exit_for(error) == code


def test_final_states_have_exit_codes():
    assert [exit_for_status(each) for each in ("succeeded", "failed", "cancelled")] == [0, 1, 5]


def test_help_is_there_soon():
    """Processor time beside that of the libraries it cannot do without, because cores may be busy or slow."""

    def cost(*command: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    libraries = cost(
        sys.executable, "-c", "import typer, rich.console, rich.table; from pydantic import BaseModel"
    )

    assert cost(*ATELIER, "--help") < 3 * libraries


def test_the_command_and_the_client_load_no_torch():
    code = (
        "import sys, atelier.cli, atelier.doctor, atelier.up, atelier.client; print('torch' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout == "False\n"
