"""The operator's commands that need no API: `python -m infra.admin keys|owner|gc|backup|restore …`.

They work on the state server of the settings, or of the `atelier up` that serves the home. When nobody does,
its embedded server is started for the moment. Exit codes are those of the `atelier` command (docs/cli.md).
"""

from infra.admin.main import main

__all__ = ["main"]
