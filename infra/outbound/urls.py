"""Reading a user's URL: one strict reading, so that no two parts of the program can disagree about it."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from infra.outbound.addresses import Address, is_public
from infra.outbound.allow import Allow
from infra.outbound.errors import UrlRefused

LONGEST = 2048  # characters of a URL
LONGEST_HOST = 253
NOT_PUBLIC = "The URL leads to an address that is not public; only the server's operator can allow it."
LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(rf"{LABEL}(?:\.{LABEL})*")
NUMBER_LIKE = re.compile(
    r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)"
)  # some libraries read such names as IPv4 addresses
PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Url:
    """A URL that passed the check, in parts. `target` is the path with the query."""

    scheme: str
    host: str  # lower case; an IPv6 address without brackets
    port: int
    target: str

    @property
    def address(self) -> Address | None:
        """The host as an address, if it is written as one."""
        return _address(self.host)

    @property
    def is_plain(self) -> bool:
        """https on its own port: all that may be used without the operator's leave."""
        return self.scheme == "https" and self.port == PORTS["https"]

    @property
    def authority(self) -> str:
        """Host and port as the `Host` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def check_url(url: str, allow: Allow) -> Url:
    """The URL in parts; UrlRefused unless it is one that could be used. Resolves nothing: the addresses of a
    name are checked when it is connected to."""
    found = _read(url)
    address = found.address
    if allow.names(found.host, found.port) or (address is not None and allow.holds(address)):
        return found
    if address is not None and not is_public(address):
        raise UrlRefused(NOT_PUBLIC)
    if address is None and allow.networks:
        return found  # what it resolves to decides
    if not found.is_plain:
        raise UrlRefused("Only https URLs on port 443 are used.")
    if address is None and ("." not in found.host or found.host.endswith(".localhost")):
        raise UrlRefused("The URL's host is not a public name.")
    return found


def _read(url: str) -> Url:
    if len(url) > LONGEST:
        raise UrlRefused(f"A URL has {LONGEST:,} characters at most.")
    if not all("!" <= char <= "~" for char in url) or "\\" in url:
        raise UrlRefused("A URL has visible ASCII characters only; write others percent-encoded.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UrlRefused("This is not a URL.") from None
    if parts.scheme not in PORTS:
        raise UrlRefused("Only https URLs are used.")
    if "@" in parts.netloc:
        raise UrlRefused("A URL with a user name or a password is not used.")
    if "#" in url:
        raise UrlRefused("A URL with a fragment (#) is not used.")
    if port == 0 or parts.netloc.endswith(":"):
        raise UrlRefused("The URL's port is not one.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(parts.scheme, _host(parts.netloc, parts.hostname or ""), port or PORTS[parts.scheme], target)


def _host(netloc: str, host: str) -> str:
    address = _address(host)
    if netloc.startswith("["):
        if not isinstance(address, IPv6Address) or address.scope_id:
            raise UrlRefused("The URL's host is not a name or an address.")
        return str(address)
    if isinstance(address, IPv4Address):
        return host
    if len(host) > LONGEST_HOST or not NAME.fullmatch(host) or NUMBER_LIKE.fullmatch(host):
        raise UrlRefused("The URL's host is not a name or an address.")
    return host


def _address(host: str) -> Address | None:
    for kind in (IPv4Address, IPv6Address):
        try:
            return kind(host)
        except ValueError:
            continue
    return None
