"""Why a backup was not made or not restored."""

from infra.errors import InfraError


class BadBackup(InfraError):
    """The file is no backup of ours, or it is damaged."""


class NotEmpty(InfraError):
    """The state server holds something already, so nothing was restored."""
