"""`gc`: the collector, at once."""

import argparse
from dataclasses import asdict
from typing import Any

import redis

from infra.admin.command import OK, Commands, finish, show
from infra.archive import Archive
from infra.collector import archive, collect
from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.search import search
from infra.settings import Settings
from infra.storage import open_storage
from infra.uploads import Uploads

CLASSES = {
    "jobs": "finished jobs whose life is over",
    "archived": "archived jobs whose life is over",
    "uploads": "uploads that no job needs any more",
    "attempts": "objects of attempts that came to nothing",
    "orphans": "objects that neither a record nor a job.json names",
    "unfinished": "remains of interrupted writes",
}


def add_commands(commands: Commands) -> None:
    gc = commands.add_parser("gc", help="remove expired jobs and uploads, and objects that no job names")
    gc.add_argument("--dry-run", action="store_true", help="only count what would be removed")
    gc.add_argument(
        "--strangers",
        action="store_true",
        help="remove objects of unknown jobs even when there are more of them than of known ones",
    )
    finish(gc, _gc)


def _gc(given: argparse.Namespace, settings: Settings, state: redis.Redis) -> int:
    storage = open_storage(settings)
    queue = JobQueue(state, limits=Limits.from_settings(settings), archive=Archive(storage))
    uploads = Uploads(
        state,
        expires_seconds=settings.upload_expires_seconds,
        owner_bytes=settings.max_stored_upload_bytes_per_owner,
    )
    counts = {
        **asdict(collect(queue, uploads, storage, dry_run=given.dry_run)),
        **asdict(search(queue, uploads, storage, dry_run=given.dry_run, strangers_too=given.strangers)),
        "moved": 0 if given.dry_run else archive(queue, settings.records_keep_seconds),
        "dry_run": given.dry_run,
    }
    show(given, counts, _text(counts))
    return OK


def _text(counts: dict[str, Any]) -> str:
    rows = [
        f"{counts[name]['count']:>10,}  {counts[name]['bytes']:>18,} bytes  {what}"
        for name, what in CLASSES.items()
    ]
    verb = "Would remove" if counts["dry_run"] else "Removed"
    left_alone = counts["strangers"] and [
        f"Left alone: {counts['strangers']:,} objects of jobs that the state server does not know. There are"
        " more of these jobs than of known ones: is it the right state server, and has it its data?"
        " `gc --strangers` removes them."
    ]
    return "\n".join([f"{verb}:", *rows, *(left_alone or [])])
