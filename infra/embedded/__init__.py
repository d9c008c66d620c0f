"""The private servers of one home, and what keeps them, and all that belongs to them, from outliving it.

`EmbeddedServers` is loaded when first used: it brings a Redis client along, for which a command that only
looks where the instance runs should not wait.
"""

from typing import TYPE_CHECKING, Any

from infra.embedded.instance import Instance, clear_instance, read_instance, write_instance
from infra.embedded.lock import HomeLock

if TYPE_CHECKING:
    from infra.embedded.servers import EmbeddedServers

__all__ = ["EmbeddedServers", "HomeLock", "Instance", "clear_instance", "read_instance", "write_instance"]


def __getattr__(name: str) -> Any:
    if name == "EmbeddedServers":
        from infra.embedded.servers import EmbeddedServers

        return EmbeddedServers
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
