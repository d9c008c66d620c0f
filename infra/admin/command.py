"""What every command is made of: how it ends, what it prints."""

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import redis

from infra.settings import Settings

OK, FAILED, INVALID, UNREACHABLE, NOT_FOUND, RUNNING, INTERRUPTED = 0, 1, 2, 3, 6, 7, 130

Commands = Any  # argparse has no public name for what `add_subparsers` returns
Run = Callable[[argparse.Namespace, Settings, redis.Redis], int]
"""A command: its arguments, the settings, a client of the state server; returns the exit code."""


def finish(parser: argparse.ArgumentParser, run: Run) -> None:
    """What all commands take, and the function behind this one."""
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(run=run)


def show(given: argparse.Namespace, value: Any, text: str) -> None:
    """Print `value` for programs, or `text` for people."""
    print(json.dumps(value) if given.json else text)


def time_text(milliseconds: int | None) -> str | None:
    """RFC 3339 UTC."""
    if milliseconds is None:
        return None
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
