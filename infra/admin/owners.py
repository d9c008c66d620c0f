"""`owner [NAME]`: an owner's weight and limits."""

import argparse
from typing import Any

import redis
from pydantic import ValidationError

from infra.admin.command import OK, Commands, finish, show
from infra.connections import check_durable
from infra.errors import BadSetting
from infra.jobs.answers import Limits
from infra.jobs.owners import Owners, OwnerSettings
from infra.settings import Settings

EVERYBODYS = "default"


def add_commands(commands: Commands) -> None:
    owner = commands.add_parser(
        "owner", help="an owner's weight and limits; without a name, who has some of their own"
    )
    owner.add_argument("name", nargs="?", help="whose")
    for name, field in OwnerSettings.model_fields.items():
        owner.add_argument(
            f"--{name.replace('_', '-')}",
            metavar="NUMBER",
            help=f"{field.description} `{EVERYBODYS}`: as for everybody.",
        )
    finish(owner, _owner)


def _owner(given: argparse.Namespace, settings: Settings, state: redis.Redis) -> int:
    limits = Limits.from_settings(settings)
    owners = Owners(state, limits=limits, durability=check_durable(state, settings.durability))
    texts = {name: text for name in OwnerSettings.model_fields if (text := getattr(given, name)) is not None}
    if given.name is None:
        if texts:
            raise BadSetting("Say whose settings these are.")
        found = [_shown(name, own, owners) for name, own in owners.all().items()]
        nobody = "No owner has settings of its own."
        show(given, found, "\n".join(_line(each) for each in found) or nobody)
        return OK
    own = owners.change(given.name, _changes(texts)) if texts else owners.get(given.name)
    shown = _shown(given.name, own, owners)
    show(given, shown, _line(shown))
    return OK


def _changes(texts: dict[str, str]) -> OwnerSettings:
    values = {name: None if text == EVERYBODYS else text for name, text in texts.items()}
    try:
        return OwnerSettings.model_validate(values, strict=False)
    except ValidationError as error:
        problems = (f"--{str(each['loc'][0]).replace('_', '-')}: {each['msg']}." for each in error.errors())
        raise BadSetting("\n".join(problems)) from None


def _shown(name: str, own: OwnerSettings, owners: Owners) -> dict[str, Any]:
    return {"owner": name, "own": own.own(), **own.over(owners.common).own()}


def _line(shown: dict[str, Any]) -> str:
    """`*` marks what the owner has of its own."""
    values = (
        f"{name}: {shown[name]:g}{'*' if name in shown['own'] else ''}" for name in OwnerSettings.model_fields
    )
    return "  ".join((shown["owner"], *values))
