"""`backup FILE` and `restore FILE`."""

import argparse
import sys
from pathlib import Path

import redis

from infra.admin.command import OK, Commands, finish, show
from infra.backup import restore, take
from infra.backup.take import Progress, tell_nobody
from infra.jobs.answers import Limits
from infra.settings import Settings


def add_commands(commands: Commands) -> None:
    backup = commands.add_parser("backup", help="write jobs, keys and webhooks to a file; everything may run")
    backup.add_argument("file", type=Path, help="the new file; it holds secrets")
    finish(backup, _backup)
    back = commands.add_parser("restore", help="read a backup into an empty state server")
    back.add_argument("file", type=Path, help="a file that `backup` wrote")
    finish(back, _restore)


def _backup(given: argparse.Namespace, settings: Settings, state: redis.Redis) -> int:
    counts = take(state, given.file, _progress())
    size = given.file.stat().st_size
    show(
        given,
        {"file": str(given.file), "bytes": size, "counts": counts},
        f"Wrote {given.file} ({size:,} bytes): {_text(counts)}.",
    )
    return OK


def _restore(given: argparse.Namespace, settings: Settings, state: redis.Redis) -> int:
    counts = restore(state, Limits.from_settings(settings), given.file, _progress())
    show(given, {"file": str(given.file), "counts": counts}, f"Restored {given.file}: {_text(counts)}.")
    return OK


WORDS = {
    "job": "jobs",
    "archived": "archived jobs",
    "message": "webhook messages",
    "upload": "uploads",
    "idempotency": "idempotency keys",
    "copied": "keys, endpoints and other settings",
}


def _text(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts.get(kind, 0):,} {words}" for kind, words in WORDS.items())


def _progress() -> Progress:
    """Shows what is being done in one line, to a person."""
    if not sys.stderr.isatty():
        return tell_nobody

    def tell(what: str, count: int) -> None:
        print(f"\r\033[K{count:,} {WORDS.get(what, what)}", end="\r", file=sys.stderr, flush=True)

    return tell
