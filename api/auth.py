"""Who is asking. With a key: its owner. Without: this machine's own programs, until the first key exists."""

import hmac
from urllib.parse import urlsplit

from flask import request

from api.loopback import is_loopback
from api.problems import Problem
from api.services import services
from infra.keys import LOCAL_OWNER

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="atelier"'}


def authenticate() -> str:
    """The owner that this request acts for; Problem 401, or 403 for a keyless caller that is not local."""
    if "Authorization" in request.headers:
        return _owner_of_key()
    if not is_loopback(services().settings.host) or services().keys.any():
        raise Problem("unauthorized", "Send an API key as `Authorization: Bearer atl_…`.", headers=CHALLENGE)
    check_local_caller()
    return LOCAL_OWNER


def _owner_of_key() -> str:
    key = bearer_token()
    owner = services().keys.authenticate(key) if key else None
    if owner is None:
        raise Problem("unauthorized", "This API key does not exist or was revoked.", headers=CHALLENGE)
    return owner


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
