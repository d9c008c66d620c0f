"""The README's walk-through with curl, typed as it stands there against a server started as it says."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.stack import FAKE, ROOT, Stack
from tests.servers import missing

WRITTEN_FOR = "http://127.0.0.1:8000"
DEFAULT = f"""
[[model]]
name = "test/fake"
family = "fake"
kinds = ["text-to-image"]
default_for = ["text-to-image"]
weights = "{FAKE}/weights/plain"
queue = "image"
defaults = {{ width = 64, height = 64, steps = 3 }}
"""
BLOCK_END = "END-OF-BLOCK"


def blocks() -> list[str]:
    """The shell commands of the section `With curl only`, block by block."""
    section = (ROOT / "README.md").read_text().split("## With curl only")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def walked(make_stack: Callable[..., Stack], tmp_path: Path) -> tuple[list[str], Path]:
    """What each block printed, and the folder in which it was typed."""
    if shutil.which("curl") is None:
        missing("curl")
    (tmp_path / "models.toml").write_text(DEFAULT)
    stack = make_stack(catalog=str(tmp_path / "models.toml")).start()
    script = f"\necho {BLOCK_END}\n".join(blocks()).replace(WRITTEN_FOR, stack.url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.split(f"{BLOCK_END}\n"), tmp_path


def test_the_walk_through_works_as_written(walked: tuple[list[str], Path]) -> None:
    (submitted, polled, watched, fetched, cancelled, retried), folder = walked

    job_id = submitted.strip()
    assert re.fullmatch(r"job_[0-9a-f]{24}", job_id)

    finished = last_json(polled)
    assert (finished["id"], finished["status"]) == (job_id, "succeeded")
    assert finished["inputs"]["seed"] == 7  # type: ignore[index]

    assert re.findall(r"^event: (\S+)$", watched, re.MULTILINE)[-1] == "job.succeeded"

    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert fetched.split("\n")[0].split() == ["0000000", "211", "P", "N", "G", r"\r", r"\n", "032", r"\n"]
    assert fetched.split("\n")[1] == "0000010"

    asked = last_json(cancelled)
    assert asked["status"] in ("cancelled", "running", "succeeded")

    again = last_json(retried)
    assert (again["status"], again["retry_of"]) == ("succeeded", asked["id"])
    assert again["inputs"] == asked["inputs"]


def last_json(output: str) -> dict[str, object]:
    """The last of the JSON objects that stand one after the other."""
    decoder, rest, found = json.JSONDecoder(), output.strip(), {}
    while rest:
        found, end = decoder.raw_decode(rest)
        rest = rest[end:].strip()
    return found
