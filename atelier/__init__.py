"""What people import and type: `Client`, its records and errors, and the `atelier` command.

Names are loaded when first used, so that `atelier --help` does not wait for an HTTP library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atelier.client import Client
    from atelier.errors import AtelierError
    from atelier.records import Artifact, Attempt, Event, Job, JobError, Page, Progress

__all__ = ["Artifact", "AtelierError", "Attempt", "Client", "Event", "Job", "JobError", "Page", "Progress"]

_HOMES = {"Client": "atelier.client", "AtelierError": "atelier.errors"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'atelier' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "atelier.records")), name)
