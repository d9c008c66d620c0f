"""What a running `atelier up` tells other processes on the same home: `HOME/run/instance.json`."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from infra.embedded.lock import is_held
from infra.places import Places


@dataclass(frozen=True)
class Instance:
    """A running instance."""

    url: str
    """Where its API answers: `http://HOST:PORT`."""
    pid: int
    """The supervisor's process id."""
    state_url: str
    """The state server in use."""
    broker_url: str
    """The broker in use."""
    pids: dict[str, int] = field(default_factory=dict)
    """Process ids of its parts, by name: `state`, `broker`, `api`, `worker-0` …"""


def write_instance(home: Path, instance: Instance) -> None:
    """Publish `instance`; readers see the old file or the new one, never half."""
    path = Places(home).instance
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # the URLs may hold passwords
    with open(descriptor, "w") as file:
        json.dump(asdict(instance), file, indent=2)
    draft.replace(path)


def read_instance(home: Path) -> Instance | None:
    """The instance that serves `home` now; None when nothing does, whatever a killed one has left behind."""
    if not is_held(home):
        return None
    try:
        return Instance(**json.loads(Places(home).instance.read_text()))
    except FileNotFoundError:  # it is still starting
        return None


def clear_instance(home: Path) -> None:
    """Withdraw what `write_instance` has published."""
    Places(home).instance.unlink(missing_ok=True)
