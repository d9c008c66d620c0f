"""Which server a client talks to when nobody says."""

from dataclasses import dataclass

from infra.embedded import read_instance
from infra.settings import load_settings


@dataclass(frozen=True)
class Address:
    """url of the API, and the key to send (empty: none)."""

    url: str
    api_key: str


def default_address() -> Address:
    """ATELIER_URL if it is set, else the `atelier up` that runs on this home, else the default address."""
    settings = load_settings()
    running = None if "url" in settings.model_fields_set else read_instance(settings.home)
    return Address(running.url if running else settings.url, settings.api_key)
