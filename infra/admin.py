"""The operator's commands that need no API: `python -m infra.admin keys create|list|revoke`, `… gc`.

They work on the state server of the settings, or of the `atelier up` that serves the home. When nobody does,
its embedded server is started for the moment. Exit codes are those of the `atelier` command (docs/cli.md).
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import redis

from infra import logs
from infra.collector import collect, collect_leftovers
from infra.connections import connect
from infra.embedded import EmbeddedServers, HomeLock, read_instance
from infra.errors import BadSetting, HomeInUse, InfraError, Unavailable
from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.keys import Key, Keys
from infra.settings import Settings, load_settings
from infra.storage import open_storage
from infra.uploads import Uploads

OK, FAILED, INVALID, UNREACHABLE, NOT_FOUND, RUNNING = 0, 1, 2, 3, 6, 7
STATE_SECONDS = 5.0  # one try; nobody waits for a page here


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    given = _parser().parse_args(arguments)
    try:
        settings = load_settings()
        logs.configure(settings, process="admin")
        with _state(settings) as state:
            code: int = given.run(given, settings, state)
            return code
    except InfraError as error:
        print(f"error: {error}", file=sys.stderr)
        return _exit_code(error)


def _exit_code(error: InfraError) -> int:
    match error:
        case BadSetting():
            return INVALID
        case Unavailable():
            return UNREACHABLE
        case HomeInUse():
            return RUNNING
        case _:
            return FAILED


@contextmanager
def _state(settings: Settings) -> Iterator[redis.Redis]:
    """A client of the state server; starts the embedded one if that is meant and does not run."""
    running = read_instance(settings.home)
    url = settings.redis_url or (running.state_url if running else "")
    with nullcontext(url) if url else _embedded_for_the_moment(settings) as address:
        yield connect(address, timeout=STATE_SECONDS, retries=0, name="atelier-admin")


@contextmanager
def _embedded_for_the_moment(settings: Settings) -> Iterator[str]:
    with HomeLock(settings.home, url="the command line"):
        servers = EmbeddedServers(settings.home)
        try:
            yield servers.start()[0]
        finally:
            servers.stop()


def _create(given: argparse.Namespace, settings: Settings, state: redis.Redis) -> int:
    key, text = Keys(state).create(given.owner, given.name)
    _print(given, {**_shown(key), "key": text}, f"{text}\nKeep it: it is not shown again.")
    return OK


def _list(given: argparse.Namespace, settings: Settings, state: redis.Redis) -> int:
    keys = [_shown(key) for key in Keys(state).list()]
    lines = [
        f"{key['id']}  {key['owner']}  used: {key['last_used'] or 'never'}  {key['name']}" for key in keys
    ]
    _print(given, keys, "\n".join(lines) or "There are no keys: only this machine may use the API.")
    return OK


def _revoke(given: argparse.Namespace, settings: Settings, state: redis.Redis) -> int:
    if not Keys(state).revoke(given.id):
        print(f"error: there is no key {given.id}", file=sys.stderr)
        return NOT_FOUND
    _print(given, {"id": given.id, "revoked": True}, f"Revoked {given.id}.")
    return OK


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
    _print(
        given,
        counts,
        f"{verb} {found.jobs} jobs and {found.uploads} uploads with {found.objects} objects,"
        f" and {left.leftovers} leftovers.",
    )
    return OK


def _print(given: argparse.Namespace, value: Any, text: str) -> None:
    print(json.dumps(value) if given.json else text)


def _shown(key: Key) -> dict[str, Any]:
    return {**asdict(key), "created_at": _time(key.created_at), "last_used": _time(key.last_used)}


def _time(milliseconds: int | None) -> str | None:
    """RFC 3339 UTC."""
    if milliseconds is None:
        return None
    return (
        datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.admin", description="Operate a deployment of Atelier."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    keys = commands.add_parser("keys", help="API keys").add_subparsers(required=True, metavar="COMMAND")
    create = keys.add_parser("create", help="make a key and print it, this once")
    create.add_argument("owner", nargs="?", default="local", help="whose jobs the key may see")
    create.add_argument("--name", default="", help="what the key is for")
    revoke = keys.add_parser("revoke", help="make a key worthless, at once")
    revoke.add_argument("id", help="the key's id, as `list` shows it")
    gc = commands.add_parser("gc", help="remove expired jobs and uploads, and objects that no job names")
    gc.add_argument("--dry-run", action="store_true", help="only count what would be removed")
    _finish(gc, _gc)
    _finish(create, _create)
    _finish(keys.add_parser("list", help="the keys that are good"), _list)
    _finish(revoke, _revoke)
    return parser


def _finish(parser: argparse.ArgumentParser, run: Any) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.set_defaults(run=run)


if __name__ == "__main__":
    sys.exit(main())
