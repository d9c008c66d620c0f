"""The private servers of one home, and what keeps them, and all that belongs to them, from outliving it."""

from infra.embedded.instance import Instance, clear_instance, read_instance, write_instance
from infra.embedded.lock import HomeLock
from infra.embedded.servers import EmbeddedServers

__all__ = ["EmbeddedServers", "HomeLock", "Instance", "clear_instance", "read_instance", "write_instance"]
