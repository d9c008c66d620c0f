"""Named places in the code at which a process kills itself, for tests of what becomes of its work.

Off, and then the price of one comparison, unless the setting `crash_at` names one: `before_commit`, or
`before_commit:3` for the third time that the process comes by. The end is SIGKILL: nothing is tidied up.
"""

import os
import signal
import threading
from enum import StrEnum

from infra.errors import BadSetting
from infra.logs import get_logger

log = get_logger()


class CrashPoint(StrEnum):
    """What the process has done when it dies, and what it has not."""

    # A worker
    AFTER_CLAIM = "after_claim"
    """The job is this worker's, and nothing was done for it."""
    BEFORE_STORE = "before_store"
    """The engine has made the files, and none is stored."""
    AFTER_ARTIFACT = "after_artifact"
    """One more file is stored; the manifest is not."""
    BEFORE_COMMIT = "before_commit"
    """Files and manifest are stored, and the queue has not heard of them."""
    AFTER_COMMIT = "after_commit"
    """The result counts, and the worker has not tidied up."""
    BEFORE_REQUEUE = "before_requeue"
    """The attempt has failed, and the queue has not heard of it."""
    AFTER_REQUEUE = "after_requeue"
    """The queue knows of the failure, and the attempt's files are still there."""

    # An engine
    ENGINE_LOADED = "engine_loaded"
    """A model is in memory, and its worker has not heard of it."""
    ENGINE_MADE = "engine_made"
    """A request's files lie in its folder, and the worker has not heard of them."""
    ENGINE_TOLD = "engine_told"
    """The worker was told of the files; the run is not over."""

    # Whatever changes a job
    BEFORE_RING = "before_ring"
    """A change of a job is on disk, and no worker was rung for."""

    # An API process
    BEFORE_ENQUEUE = "before_enqueue"
    """A submission was found good, and nothing is stored."""
    AFTER_ENQUEUE = "after_enqueue"
    """The jobs are on disk, and their sender was not answered."""
    AFTER_DELETE = "after_delete"
    """A job is hidden for good, and its files are still there."""
    UPLOAD_RESERVED = "upload_reserved"
    """An upload has a record, and its file is not stored."""
    UPLOAD_STORED = "upload_stored"
    """An upload's file is stored, and its record does not say so."""
    WEBHOOK_TAKEN = "webhook_taken"
    """This process alone may send the message now, and has not."""
    WEBHOOK_SENT = "webhook_sent"
    """The message was sent, and nobody has noted it."""

    # A collector
    JOB_OBJECTS_DELETED = "job_objects_deleted"
    """The files of a job whose life is over are gone, and its record is there."""
    ARCHIVE_WRITTEN = "archive_written"
    """A record is in the storage, and the state server has it too."""
    UPLOAD_OBJECT_DELETED = "upload_object_deleted"
    """The file of an upload whose life is over is gone, and its record is there."""


class Armed:
    """A point, and how often the process still comes by before it dies there."""

    def __init__(self, crash_at: str) -> None:
        """BadSetting when `crash_at` names no point."""
        name, _, times = crash_at.partition(":")
        try:
            self.point = CrashPoint(name)
            self.left = int(times or 1)
        except ValueError:
            raise BadSetting(f"ATELIER_CRASH_AT: {crash_at} is not one of {', '.join(CrashPoint)}.") from None
        self._lock = threading.Lock()

    def reach(self, point: CrashPoint) -> None:
        """Die if it is time to."""
        if point is not self.point:
            return
        with self._lock:
            self.left -= 1
            due = self.left == 0
        if due:
            log.critical("This process kills itself, as it was told", action="crash.reached", point=point)
            os.kill(os.getpid(), signal.SIGKILL)


_armed: Armed | None = None


def arm(crash_at: str) -> None:
    """Have this process die at a point, or, when the setting is empty, at none. Each calls it at start."""
    global _armed  # noqa: PLW0603 - one for the process, as its death is
    _armed = Armed(crash_at) if crash_at else None


def crash_point(point: CrashPoint) -> None:
    """Die here, if this process was told to."""
    if _armed is not None:
        _armed.reach(point)
