"""docs/jobs.md names every key and every error that the queue makes."""

import re
from pathlib import Path

import pytest

from infra.jobs.record import FAULTS
from infra.jobs.scripts import FOLDER

PAGE = (Path(__file__).parents[3] / "docs" / "jobs.md").read_text()
TEST_ONLY = {"skew"}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_error_of_the_queue_is_documented(fault: str) -> None:
    assert f"`{fault}`" in PAGE


def test_every_key_is_documented() -> None:
    text = "\n".join(path.read_text() for path in FOLDER.rglob("*.lua"))
    firsts = {name.partition(":")[0] for name in re.findall(r"P \.\. '([a-z_]+:?)", text)} - TEST_ONLY

    assert len(firsts) > 20
    assert [first for first in sorted(firsts) if not re.search(rf"`{first}[:`]", PAGE)] == []
