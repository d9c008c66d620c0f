"""Which server a client talks to when nobody says."""

import os
from dataclasses import dataclass

from infra.settings import load_settings, variable


@dataclass(frozen=True)
class Address:
    """url of the API, and the key to send (empty: none)."""

    url: str
    api_key: str


def default_address() -> Address:
    """ATELIER_URL if it is set, else the `atelier up` that runs on this home, else the default address."""
    settings = load_settings()
    url = settings.url
    if not os.environ.get(variable("url")):
        from infra.embedded import read_instance

        running = read_instance(settings.home)
        url = running.url if running else url
    return Address(url, settings.api_key)
