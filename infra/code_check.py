"""Runs code that a model wrote, with the tests that came with the request, in a confined child.

Each piece of code has a child (`infra.code_child`) of its own, with an empty environment, no network, no file
but that of its answer, no threads or processes, and limits of memory, processor time and output; a clock
stops it from without. Where it cannot be confined nothing is run. The code shares its process with the tests,
so it may lie about how they end, and about nothing else: the answer is believed no further than as so many
truth values.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.code_child.limits import SECONDS
from infra.confine import NotConfined

LONGEST_ANSWER = 4096  # bytes
ROOT = Path(__file__).parents[1]
Language = Literal["python", "javascript"]

PROGRAM = "import sys; sys.path.insert(0, sys.argv.pop()); import infra.code_child.__main__"
"""Isolated Python (`-I`) takes no path from outside; this is how it finds the child."""


class _Answer(BaseModel):
    """What the child may say."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    unconfined: bool = False
    passed: list[bool] = Field([], max_length=1024)


def passed_tests(language: Language, code: str, tests: Sequence[str], seconds: float = SECONDS) -> list[bool]:
    """Which of the tests pass with this code before them; none where it breaks, or breaks a limit.

    NotConfined where this machine cannot keep it in.
    """
    answer = _ask_child({"language": language, "code": code, "tests": list(tests)}, seconds)
    if answer is not None and answer.unconfined:
        raise NotConfined
    if answer is None or len(answer.passed) != len(tests):
        return [False] * len(tests)
    return answer.passed


def _ask_child(task: dict[str, object], seconds: float) -> _Answer | None:
    command = [sys.executable, "-I", "-c", PROGRAM, str(ROOT)]
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as said:  # files: both have a limit
        asked.write(json.dumps(task).encode())
        asked.seek(0)
        try:
            done = subprocess.run(
                command,
                env={},
                stdin=asked,
                stdout=said,
                stderr=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        if done.returncode != 0:
            return None
        said.seek(0)
        line = said.read(LONGEST_ANSWER)
    try:
        return _Answer.model_validate_json(line)
    except ValidationError:
        return None
