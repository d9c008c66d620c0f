"""What the operator permits beyond the public Internet: hosts, hosts with a port, networks."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Self

from infra.errors import BadSetting
from infra.outbound.addresses import Address, Network


@dataclass(frozen=True)
class Allow:
    """Hosts and networks that may be private, and reached by http and on any port.

    An entry is a host (`hooks.example`), a host and a port (`localhost:9000`, `[::1]:9000`), or a network
    or an address (`10.1.0.0/16`, `10.1.2.3`). A host's addresses are not checked; a network holds for every
    name that resolves into it.
    """

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, entries: str) -> Self:
        """From a setting's text, entries separated by commas; BadSetting for one that is none of these."""
        hosts: set[tuple[str, int | None]] = set()
        networks: list[Network] = []
        for entry in filter(None, (part.strip().lower() for part in entries.split(","))):
            if (network := _network(entry)) is not None:
                networks.append(network)
            else:
                hosts.add(_host(entry))
        return cls(frozenset(hosts), tuple(networks))

    def names(self, host: str, port: int) -> bool:
        """Whether this host is an entry, with this port or without one."""
        return (host, None) in self.hosts or (host, port) in self.hosts

    def holds(self, address: Address) -> bool:
        """Whether this address lies in one of the networks."""
        return any(address in network for network in self.networks)


def _network(entry: str) -> Network | None:
    try:
        return ip_network(entry, strict=False)
    except ValueError:
        return None


def _host(entry: str) -> tuple[str, int | None]:
    host, colon, port = entry.rpartition(":")
    if not colon:
        host, port = entry, ""
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if bracketed:
        host = str(ip_address(host)) if _network(host) is not None else ""
    bad_port = bool(colon) and not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535)
    if not host or bad_port or "/" in host or (":" in host and not bracketed):
        raise BadSetting(f"{entry!r} is neither a host, nor a host and a port, nor a network.")
    return host, int(port) if colon else None
