"""The cap on what the home folder holds: new work is refused before the disk is full."""

import time

from api.problems import Problem
from infra.collector import usage_bytes
from infra.settings import Settings

FRESH_SECONDS = 5.0  # how old a measurement may be; walking a large folder takes a while


class HomeCap:
    """Refuses new jobs and uploads while the home is full. One for each process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._used = 0
        self._measured_at = float("-inf")

    def check(self, coming: int = 0) -> None:
        """Problem `storage_full` (507) when the home, with `coming` bytes more, would be past its cap."""
        cap = self._settings.home_max_bytes
        if cap and self._usage() + coming > cap:
            raise Problem(
                "storage_full",
                f"The artifacts take {self._used:,} of the {cap:,} bytes that ATELIER_HOME_MAX_BYTES allows. Delete"
                " jobs that are not needed (DELETE /v1/jobs/{id}), or raise the setting.",
            )

    def _usage(self) -> int:
        if time.monotonic() - self._measured_at > FRESH_SECONDS:
            self._used = usage_bytes(self._settings)
            self._measured_at = time.monotonic()
        return self._used
