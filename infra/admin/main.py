"""From arguments to one command, and from its end to an exit code."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import redis

from infra import logs
from infra.admin import backups, collecting, keys, owners
from infra.admin.command import FAILED, INTERRUPTED, INVALID, RUNNING, UNREACHABLE
from infra.backup import BadBackup
from infra.connections import connect
from infra.crash_points import arm
from infra.embedded import EmbeddedServers, HomeLock, read_instance
from infra.errors import BadSetting, HomeInUse, InfraError, Unavailable
from infra.settings import Settings, load_settings

STATE_SECONDS = 5.0  # one try; nobody waits for a page here


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    given = _parser().parse_args(arguments)
    try:
        settings = load_settings()
        logs.configure(settings, process="admin")
        arm(settings.crash_at)
        with _state(settings) as state:
            code: int = given.run(given, settings, state)
            return code
    except InfraError as error:
        print(f"error: {error}", file=sys.stderr)
        return _exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED


def _exit_code(error: InfraError) -> int:
    match error:
        case BadSetting() | BadBackup():
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.admin", description="Operate a deployment of Atelier."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    keys.add_commands(commands)
    owners.add_commands(commands)
    collecting.add_commands(commands)
    backups.add_commands(commands)
    return parser
