"""What a storm writes down while it runs: JSON lines that outlive it, so that it can be judged and gone on
with.
"""

import json
import threading
import time
from pathlib import Path
from typing import Any

Line = dict[str, Any]


def now_ms() -> int:
    """This machine's clock, which the state server shares."""
    return time.time_ns() // 1_000_000


class Ledger:
    """A file of JSON lines, written by several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def write(self, **line: Any) -> None:
        with self._lock, self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def lines(self) -> list[Line]:
        """All lines so far; one that a crash has cut short is left out."""
        if not self.path.exists():
            return []
        text = self.path.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


class Ledgers:
    """The ledgers of one storm."""

    def __init__(self, folder: Path) -> None:
        self.accepted = Ledger(folder / "accepted.jsonl")
        """One line for each job that the API has answered with 202: its number, its id, how many tries."""
        self.refusals = Ledger(folder / "refusals.jsonl")
        """One line each time the API did not answer with 202: what happened instead."""
        self.messages = Ledger(folder / "messages.jsonl")
        """One line for each message that the receiver of webhooks has got."""
        self.kills = Ledger(folder / "kills.jsonl")
        """The kill log: when, which process, whose, and what it was doing as far as was known."""
        self.samples = Ledger(folder / "samples.jsonl")
        """Every second: how many jobs have ended, are queued, are running."""
        self.ends = Ledger(folder / "ends.jsonl")
        """Processes that ended although nobody killed them: there must be none."""
