"""`keys create|list|revoke`: API keys."""

import argparse
import sys
from dataclasses import asdict
from typing import Any

import redis

from infra.admin.command import NOT_FOUND, OK, Commands, finish, show, time_text
from infra.connections import check_durable
from infra.jobs.answers import Limits
from infra.jobs.scripts import Scripts
from infra.keys import Key, Keys, Scope
from infra.settings import Settings


def add_commands(commands: Commands) -> None:
    keys = commands.add_parser("keys", help="API keys").add_subparsers(required=True, metavar="COMMAND")
    create = keys.add_parser("create", help="make a key and print it, this once")
    create.add_argument("owner", nargs="?", default="local", help="whose jobs the key may see")
    create.add_argument("--name", default="", help="what the key is for")
    create.add_argument(
        "--scope", type=Scope, choices=list(Scope), help="what the key may do beyond its owner's jobs"
    )
    finish(create, _create)
    finish(keys.add_parser("list", help="the keys that are good"), _list)
    revoke = keys.add_parser("revoke", help="make a key worthless, at once")
    revoke.add_argument("id", help="the key's id, as `list` shows it")
    finish(revoke, _revoke)


def _create(given: argparse.Namespace, settings: Settings, state: redis.Redis) -> int:
    scripts = _scripts(settings, state)
    key, text = Keys(state).create(given.owner, given.name, [given.scope] if given.scope else [])
    show(given, {**_shown(key), "key": text}, text)
    print("Keep it: it is not shown again.", file=sys.stderr)
    scripts.confirm()
    return OK


def _list(given: argparse.Namespace, settings: Settings, state: redis.Redis) -> int:
    keys = [_shown(key) for key in Keys(state).list()]
    show(
        given,
        keys,
        "\n".join(_line(key) for key in keys) or "There are no keys: only this machine may use the API.",
    )
    return OK


def _revoke(given: argparse.Namespace, settings: Settings, state: redis.Redis) -> int:
    scripts = _scripts(settings, state)
    if not Keys(state).revoke(given.id):
        print(f"error: there is no key {given.id}", file=sys.stderr)
        return NOT_FOUND
    scripts.confirm()  # a key that was revoked must not be good again after a crash
    show(given, {"id": given.id, "revoked": True}, f"Revoked {given.id}.")
    return OK


def _scripts(settings: Settings, state: redis.Redis) -> Scripts:
    """What confirms that a change is on disk; raises NotDurable before anything is changed."""
    return Scripts(state, Limits.from_settings(settings), check_durable(state, settings.durability))


def _shown(key: Key) -> dict[str, Any]:
    return {**asdict(key), "created_at": time_text(key.created_at), "last_used": time_text(key.last_used)}


def _line(key: dict[str, Any]) -> str:
    scopes = f"  scopes: {', '.join(key['scopes'])}" if key["scopes"] else ""
    return f"{key['id']}  {key['owner']}  used: {key['last_used'] or 'never'}  {key['name']}{scopes}"
