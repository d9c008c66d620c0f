"""What the engine is told about an attempt, and what the worker makes of the engine's answers."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.jobs.record import JobError
from infra.safety_log import note_found
from pipelines.outputs import File
from workers import counts
from workers.attempt import LiveAttempt
from workers.failures import told_failure
from workers.messages import Message


def request_of(attempt: LiveAttempt) -> dict[str, Any]:
    """The attempt as one request of a `run` message."""
    folder = attempt.folder / "made"
    folder.mkdir()
    return {
        "request": attempt.id,
        "kind": attempt.job.kind,
        "inputs": attempt.inputs.as_json(),
        "files": {field: str(path) for field, path in attempt.files.items()},
        "folder": str(folder),
        "provenance": provenance(attempt),
        "repeatable": not attempt.job.seed_chosen,
        "verdict": {"labels": list(attempt.verdict.labels), "blur": attempt.verdict.blur},
    }


def provenance(attempt: LiveAttempt) -> dict[str, Any]:
    """What a file's metadata say of its origin; the file's own seed is added where it is written."""
    model = attempt.model
    inputs = attempt.inputs.as_json()
    plain = {name: value for name, value in inputs.items() if isinstance(value, str | int | float)}
    plain.pop("seed", None)
    lists = {name: value for name, value in inputs.items() if isinstance(value, list) and value}
    return {
        **plain,
        **{name: json.dumps(value, ensure_ascii=False) for name, value in lists.items()},
        "kind": attempt.job.kind,
        "model": model.name,
        "revision": model.revision,
        "job": attempt.job.id,
    }


def take(attempt: LiveAttempt, message: Message) -> None:
    """Note on the attempt what a message of the engine says about it."""
    if (handler := HANDLERS.get(message["is"])) is not None:
        handler(attempt, message)


def _progress(attempt: LiveAttempt, message: Message) -> None:
    preview = message["preview"]
    attempt.advance(message["step"], message["total"], base64.b64decode(preview) if preview else None)


def _done(attempt: LiveAttempt, message: Message) -> None:
    attempt.made = [File(**{**file, "path": Path(file["path"])}) for file in message["files"]]


def _failed(attempt: LiveAttempt, message: Message) -> None:
    attempt.failure = told_failure(JobError(**message["error"]))


def _found(attempt: LiveAttempt, message: Message) -> None:
    note_found("output", message["categories"], message["follows"])


HANDLERS: dict[str, Callable[[LiveAttempt, Message], None]] = {
    "loaded": lambda attempt, message: counts.loaded(attempt, message["seconds"]),
    "loading": lambda attempt, _: attempt.enter("loading"),
    "reading": lambda attempt, message: attempt.note_loaded(message["fraction"]),
    "started": lambda attempt, _: attempt.enter("running"),
    "progress": _progress,
    "delta": lambda attempt, message: attempt.write(message["index"], message["text"]),
    "encoding": lambda attempt, _: attempt.enter("encoding"),
    "found": _found,
    "done": _done,
    "failed": _failed,
}
