"""Runs of the `schemathesis` command against a stack, and what they have sent."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.anchors import write_anchors
from tests.fuzz.stack import HERE, Stack

ROOT = HERE.parents[1]
CONFIGURATION = HERE / "schemathesis.toml"


@dataclass
class Tally:
    """Answers, counted by call and status."""

    by_call: dict[str, Counter[int]] = field(default_factory=dict)
    by_phase: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls, lines: Iterable[str]) -> "Tally":
        """From the file that the hooks write."""
        tally = cls()
        for line in lines:
            seen = json.loads(line)
            tally.by_call.setdefault(seen["call"], Counter())[seen["status"]] += 1
            tally.by_phase[f"{seen['phase']}, {seen['mode']}"] += 1
        return tally

    @property
    def requests(self) -> int:
        return sum(counts.total() for counts in self.by_call.values())

    @property
    def accepted(self) -> int:
        """Answers of 2xx and 3xx."""
        return sum(self.of_class(2, 3))

    @property
    def server_errors(self) -> int:
        """Answers of 5xx."""
        return sum(self.of_class(5))

    def of_class(self, *hundreds: int) -> Iterable[int]:
        return (
            count
            for counts in self.by_call.values()
            for status, count in counts.items()
            if status // 100 in hundreds
        )


@dataclass(frozen=True)
class Run:
    """One run of the command."""

    passed: bool
    output: str


class Fuzzer:
    """Sends machine-made requests to a stack; its files lie in `folder`."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self._stack = stack
        self._known, self._tally = folder / "anchors.json", folder / "tally.jsonl"
        self._tally.touch()
        write_anchors(stack, self._known)

    def run(self, *options: str, seed: int) -> Run:
        """Run schemathesis with every check of its configuration file."""
        command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIGURATION)]
        command += ["run", f"{self._stack.api.url}/openapi.json", "--seed", str(seed), "--no-color"]
        command += ["--header", f"Authorization: Bearer {self._stack.key}", *options]
        environ = os.environ | {
            "FUZZ_KNOWN": str(self._known),
            "FUZZ_TALLY": str(self._tally),
            "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
            "PYTHONPATH": str(ROOT),
        }
        done = subprocess.run(
            command, env=environ, capture_output=True, text=True, cwd=self._tally.parent, check=False
        )
        return Run(done.returncode == 0, done.stdout + done.stderr)

    @property
    def tally(self) -> Tally:
        """All that has been sent so far."""
        with self._tally.open() as lines:
            return Tally.read(lines)
