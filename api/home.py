"""The cap on what the home folder holds: new work is refused before the disk is full."""

import threading
import time

from api.problems import Problem
from infra.collector import usage_bytes
from infra.settings import Settings

MEASURE_SECONDS = 5.0  # between two measurements
SHARE_OF_TIME = 10  # a walk that takes long is repeated after ten times as long


class HomeCap:
    """Measures the home again and again, and refuses new jobs and uploads while it is full."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._used = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="home", daemon=True)

    def start(self) -> None:
        """Measure once, then go on in a thread."""
        if self._settings.home_max_bytes:
            self._measure()
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def check(self, coming: int = 0) -> None:
        """Problem `storage_full` (507) when the home, with `coming` bytes more, would be past its cap."""
        cap = self._settings.home_max_bytes
        if cap and self._used + coming > cap:
            raise Problem(
                "storage_full",
                f"The home holds {self._used:,} of the {cap:,} bytes that ATELIER_HOME_MAX_BYTES allows."
                " Delete jobs that are not needed (DELETE /v1/jobs/{id}), or raise the setting.",
            )

    def _run(self) -> None:
        pause = MEASURE_SECONDS
        while not self._stopped.wait(pause):
            pause = max(MEASURE_SECONDS, SHARE_OF_TIME * self._measure())

    def _measure(self) -> float:
        """Seconds that it took."""
        begun = time.monotonic()
        self._used = usage_bytes(self._settings)
        return time.monotonic() - begun
