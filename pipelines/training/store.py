"""Where a training keeps its checkpoints, its log and its samples. Everything resumes from here."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch

LOG = "log.jsonl"


class Store:
    """A folder, `var/training/<name>`; `path` tells where a file of it lies."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """Where the file of that name lies; folders on the way to it are made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Writes beside, then renames: a kill leaves the old checkpoint whole."""
        partial = self.path(name + ".partial")
        torch.save(state, partial)
        os.replace(partial, self.path(name))

    def load(self, name: str) -> dict[str, Any] | None:
        """The checkpoint, or None before the first one. Tensors and plain values only, never pickled code."""
        path = self.path(name)
        return torch.load(path, weights_only=True) if path.exists() else None

    def require(self, name: str, made_by: str) -> dict[str, Any]:
        """The checkpoint; FileNotFoundError names the command that makes it."""
        state = self.load(name)
        if state is None:
            raise FileNotFoundError(f"{self.path(name)} is not there yet: run `{made_by}` first.")
        return state

    def log(self, stage: str, **figures: float | int | str) -> None:
        """One more line of the log, floats to six digits."""
        rounded = {k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in figures.items()}
        with self.path(LOG).open("a") as log:
            log.write(json.dumps({"stage": stage, **rounded}) + "\n")

    def logged(self) -> list[dict[str, Any]]:
        """The lines of the log, oldest first."""
        path = self.path(LOG)
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def forget_after(self, step: int) -> None:
        """Drop the lines of later steps, which a training that was killed wrote after its last checkpoint."""
        kept = [row for row in self.logged() if row.get("step", 0) <= step]
        partial = self.path(LOG + ".partial")
        partial.write_text("".join(json.dumps(row) + "\n" for row in kept))
        os.replace(partial, self.path(LOG))
