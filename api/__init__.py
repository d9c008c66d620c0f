"""The HTTP API: requests in, `JobQueue` calls, JSON out. It never loads torch, and importing it loads
nothing yet."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from infra.settings import Settings


def create_app(settings: "Settings | None" = None) -> "Flask":
    """The WSGI application; settings come from the environment when none are given."""
    from api.app import build_app  # not at the top: `python -m api` patches the standard library first

    return build_app(settings)
