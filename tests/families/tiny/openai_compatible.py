"""A row for a model that a server runs: no weights, the server is on a thread of the tests' process."""

from functools import cache
from pathlib import Path

from tests.families.cases import Case
from tests.openai_server import OpenAIServer


@cache
def server() -> OpenAIServer:
    """Runs until the tests end; slow enough for a request to be cancelled."""
    server = OpenAIServer(pace=0.02)
    server.start()
    return server


def save_row(folder: Path) -> Path:
    """A catalog file as an operator writes it."""
    folder.mkdir()
    file = folder / "models.toml"
    file.write_text(
        f"""
[[model]]
name = "tiny/openai_compatible"
family = "openai_compatible"
kinds = ["text", "chat", "code"]
url = "{server().url}"
queue = "text"
options = {{ model = "big" }}
"""
    )
    return file


CASES = [
    Case(
        "openai_compatible",
        "openai_compatible",
        save_row,
        {
            "text": {"prompt": "Once upon a time", "max_tokens": 12},
            "chat": {"messages": [{"role": "user", "content": "Who are you?"}], "max_tokens": 12},
            "code": {"prefix": "def add(a, b):\n", "max_tokens": 12},
        },
        serves=True,
    )
]
