"""Who is asking. With a key: its owner. Without: this machine's own programs, until the first key exists."""

import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import request

from api.loopback import is_loopback
from api.problems import Problem
from api.services import services
from infra.keys import LOCAL_OWNER, Scope

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="atelier"'}


@dataclass(frozen=True)
class Caller:
    """On whose behalf a request is made."""

    owner: str
    key_id: str | None
    """None without a key."""
    scopes: tuple[Scope, ...]

    def require(self, scope: Scope) -> None:
        """Problem 403 unless the caller may do this."""
        if scope not in self.scopes:
            raise Problem("forbidden", f"This call needs a key with the scope `{scope}`.")


LOCAL = Caller(LOCAL_OWNER, None, (Scope.ADMIN,))
"""Without keys, whoever reaches the API sits at this machine and operates it."""


def authenticate() -> Caller:
    """Who is asking; Problem 401, or 403 for a keyless caller that is not local."""
    if "Authorization" in request.headers:
        return _caller_of_key()
    if not is_loopback(services().settings.host) or services().keys.any():
        raise Problem("unauthorized", "Send an API key as `Authorization: Bearer atl_…`.", headers=CHALLENGE)
    check_local_caller()
    return LOCAL


def _caller_of_key() -> Caller:
    text = bearer_token()
    key = services().keys.authenticate(text) if text else None
    if key is None:
        raise Problem("unauthorized", "This API key does not exist or was revoked.", headers=CHALLENGE)
    return Caller(key.owner, key.id, key.scopes)


def bearer_token() -> str:
    """The token of the Authorization header; empty if it is of another scheme."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def check_local_caller() -> None:
    """Refuse what a web page in this machine's browser could send: another page's request carries its
    `Origin`, and one that came by a rebound name carries that name as `Host`."""
    host = request.headers.get("Host", "")
    if not is_loopback(_hostname(f"//{host}")):
        raise Problem(
            "forbidden_origin", "Without keys, use 127.0.0.1, [::1] or localhost as the server's name."
        )
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() != f"{request.scheme}://{host}".lower():
        raise Problem("forbidden_origin", "Without keys, no other web page may use this server.")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise Problem("forbidden_origin", "Without keys, no other web page may use this server.")


def check_scraper() -> None:
    """`/metrics` is for loopback, and for who has the scraper key."""
    expected = services().settings.scraper_key
    if expected and hmac.compare_digest(bearer_token().encode(), expected.encode()):
        return
    if not is_loopback(request.remote_addr or ""):
        raise Problem(
            "forbidden", "Metrics are open to loopback, and to the scraper key (ATELIER_SCRAPER_KEY)."
        )
    check_local_caller()


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
