"""HTTP to addresses that users have given: webhooks, and inputs by URL.

What a user gives may point at the inside of our own network. So a URL is first checked as text
(`check_url`), then every address that its host resolves to is checked, and the connection goes to an address
that was checked, never to the name again. Only https on port 443 to public addresses is reached, apart from
what the operator's `Allow` names; no redirect is followed, no proxy of the environment is used, and bytes and
total time are bounded. Honest limit: a public address that some router translates to a private one (NAT64
with a prefix of its own) cannot be told from others; a deployment that has such should filter egress too.
"""

from infra.outbound.allow import Allow
from infra.outbound.client import Downloaded, Outbound, Reply
from infra.outbound.errors import Unreachable, UrlRefused
from infra.outbound.urls import Url, check_url

__all__ = ["Allow", "Downloaded", "Outbound", "Reply", "Unreachable", "Url", "UrlRefused", "check_url"]
