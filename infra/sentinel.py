"""A state server behind Redis Sentinel: whoever connects asks the sentinels first who the master is."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPoolProxy, SentinelManagedConnection

from infra.errors import BadSetting

SCHEME = "redis+sentinel://"
FORM = f"{SCHEME}[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]…]/SERVICE[/DB]"
PORT = 26379
URL = re.compile(
    re.escape(SCHEME) + r"(?:(?P<user>[^:@/]*):(?P<password>[^:@/]*)@)?(?P<hosts>[^@/]+)"
    r"/(?P<service>[^/?#]+)(?:/(?P<db>\d+))?"
)
HOST = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[^:,\[\]]+)(?::(?P<port>\d+))?")


@dataclass(frozen=True)
class Address:
    """What a URL says. User and password are those of the servers; the sentinels are asked without."""

    sentinels: list[tuple[str, int]]
    service: str
    login: dict[str, Any]
    """`username`, `password` and `db`, as far as given."""


def parse(url: str) -> Address:
    """BadSetting when the URL does not have the form."""
    parts = URL.fullmatch(url)
    hosts = [HOST.fullmatch(host) for host in parts["hosts"].split(",")] if parts else []
    if parts is None or not all(hosts):
        raise BadSetting(f"The URL of a server behind Sentinel has the form {FORM}.")
    login = {
        "username": unquote(parts["user"] or "") or None,
        "password": unquote(parts["password"] or "") or None,
        "db": parts["db"] and int(parts["db"]),
    }
    return Address(
        [(found["host"].strip("[]"), int(found["port"] or PORT)) for found in hosts if found],
        unquote(parts["service"]),
        {name: value for name, value in login.items() if value is not None},
    )


class SentinelPool(redis.BlockingConnectionPool):
    """Waits for a connection as its parent does. One to a server that is master no more is not used again."""

    def __init__(
        self, address: Address, *, socket_timeout: float, socket_connect_timeout: float, **options: Any
    ) -> None:
        """Each sentinel is given as long as a connection to the master may take."""
        limits = {"socket_timeout": socket_timeout, "socket_connect_timeout": socket_connect_timeout}
        asking = {**limits, "socket_timeout": socket_connect_timeout, "retry": Retry(NoBackoff(), 0)}
        sentinels = Sentinel(address.sentinels, sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
        self._master = SentinelConnectionPoolProxy(  # type: ignore[no-untyped-call]
            connection_pool=self,
            is_master=True,
            check_connection=False,
            service_name=address.service,
            sentinel_manager=sentinels,
        )
        super().__init__(  # type: ignore[no-untyped-call]
            connection_class=SentinelManagedConnection,
            connection_pool=self._master,
            **address.login,
            **limits,
            **options,
        )

    def owns_connection(self, connection: Any) -> int:
        where = (connection.host, connection.port)
        return where == self._master.master_address and super().owns_connection(connection)
