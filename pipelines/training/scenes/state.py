"""Where training keeps its checkpoints, and how it logs. Everything resumes from here."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import torch


class Store:
    """A folder of checkpoints and one log, by default `var/scenes`."""

    def __init__(self, folder: str | Path = "var/scenes") -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        return self.folder / name

    def save(self, name: str, state: dict) -> None:
        """Writes beside, then renames: a kill leaves the old checkpoint whole."""
        partial = self.path(name + ".partial")
        torch.save(state, partial)
        os.replace(partial, self.path(name))

    def load(self, name: str) -> dict | None:
        """The checkpoint, or None before the first one."""
        path = self.path(name)
        return torch.load(path, weights_only=True) if path.exists() else None

    def require(self, name: str, made_by: str) -> dict:
        state = self.load(name)
        if state is None:
            raise FileNotFoundError(f"{self.path(name)} is not there yet: run `{made_by}` first.")
        return state

    def log(self, stage: str, **figures: float | int | str) -> None:
        """One line of JSON to the log and to the screen."""
        rounded = {k: round(v, 5) if isinstance(v, float) else v for k, v in figures.items()}
        line = json.dumps({"stage": stage, "at": time.strftime("%H:%M:%S"), **rounded})
        print(line, flush=True)
        with self.path("log.jsonl").open("a") as log:
            log.write(line + "\n")


class Clock:
    """A training budget in seconds, kept over resumptions; learning rates follow the share spent."""

    def __init__(self, seconds: float, spent: float = 0.0) -> None:
        self.seconds, self.before, self.started = seconds, spent, time.monotonic()

    @property
    def spent(self) -> float:
        return self.before + time.monotonic() - self.started

    @property
    def share(self) -> float:
        return min(1.0, self.spent / self.seconds)
