"""`gc`: the collector, at once."""

import argparse
from dataclasses import asdict

import redis

from infra.admin.command import OK, Commands, finish, show
from infra.collector import collect, collect_leftovers
from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.settings import Settings
from infra.storage import open_storage
from infra.uploads import Uploads


def add_commands(commands: Commands) -> None:
    gc = commands.add_parser("gc", help="remove expired jobs and uploads, and objects that no job names")
    gc.add_argument("--dry-run", action="store_true", help="only count what would be removed")
    finish(gc, _gc)


def _gc(given: argparse.Namespace, settings: Settings, state: redis.Redis) -> int:
    queue = JobQueue(state, limits=Limits.from_settings(settings))
    uploads = Uploads(
        state,
        expires_seconds=settings.upload_expires_seconds,
        owner_bytes=settings.max_stored_upload_bytes_per_owner,
    )
    storage = open_storage(settings)
    found = collect(queue, uploads, storage, dry_run=given.dry_run)
    left = collect_leftovers(queue, storage, dry_run=given.dry_run)
    counts = {**asdict(found), "leftovers": left.leftovers, "dry_run": given.dry_run}
    verb = "Would remove" if given.dry_run else "Removed"
    show(
        given,
        counts,
        f"{verb} {found.jobs} jobs and {found.uploads} uploads with {found.objects} objects,"
        f" and {left.leftovers} leftovers.",
    )
    return OK
