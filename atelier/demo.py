"""A whole stack for a short while: the one that runs already, or a new one on free ports."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from atelier.address import default_address
from atelier.client import Client
from atelier.errors import AtelierError
from atelier.up import Say, is_ready
from infra.embedded import read_instance, tether

NOT_ITS_OWN: Final = (
    "ATELIER_REDIS_URL",
    "ATELIER_BROKER_URL",
    "ATELIER_STORAGE_URL",
    "ATELIER_BOOTSTRAP_KEY_FILE",
)
"""What the demo's own stack does not use: it must not take the jobs of a real one, nor move its records."""

STOP_SECONDS: Final = 60.0  # drained workers and two servers end well within this


class NoStack(AtelierError):
    """The stack for the demo did not start; its own message says why."""


@contextmanager
def some_stack(home: Path | None, url: str | None, say: Say) -> Iterator[Client]:
    """A client of a stack that serves: one that runs already is used and left; a new one is stopped.

    home: whose stack; None: the one at `url`, or NoStack, or else the one that a client would find.
    """
    running = _running(home, url)
    if running:
        say(f"using the server at {running}")
        with Client(running) as client:
            yield client
    elif home is not None:
        with _own_stack(home, say) as own, Client(own) as client:
            yield client
    else:
        with (
            tempfile.TemporaryDirectory(prefix="atelier-demo-") as folder,
            _own_stack(Path(folder), say) as own,
            Client(own, api_key="") as client,  # one that is set here is for another server
        ):
            yield client


def _running(home: Path | None, url: str | None) -> str | None:
    if home is not None:
        instance = read_instance(home)
        found = instance.url if instance else ""
    else:
        found = url or default_address().url
    if found and is_ready(found):
        return found
    if url and home is None:
        raise NoStack(f"no server is ready at {url}")
    return None


@contextmanager
def _own_stack(home: Path, say: Say) -> Iterator[str]:
    """`atelier up` on a free port, under a tether, so that nothing is left if the demo is killed."""
    up = [sys.executable, "-P", "-m", "atelier", "up", "--host", "127.0.0.1", "--port", "0"]
    own = {name: value for name, value in os.environ.items() if name not in NOT_ITS_OWN}
    process = tether.start(up, stdout=subprocess.PIPE, env={**own, "ATELIER_HOME": str(home)})
    try:
        yield _wait_until_ready(process, say)
    finally:
        process.terminate()
        _end(process, say)


def _wait_until_ready(process: "subprocess.Popen[bytes]", say: Say) -> str:
    for raw in process.stdout or ():
        line = raw.decode()
        say(line.rstrip())
        if line.startswith("ready "):
            return line.split()[1]
    raise NoStack("the stack did not start; see the lines above")


def _end(process: "subprocess.Popen[bytes]", say: Say) -> None:
    """Wait for the end of a stack that was told to stop. The tether is cut afterwards, not before."""
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        say("the stack did not stop by itself and was killed")
    rest, _ = process.communicate()
    for line in rest.decode().splitlines():
        say(line)
