"""What the child tells its parent."""

from dataclasses import dataclass


class Unfit(Exception):
    """The file cannot be used; the message says why."""


@dataclass(frozen=True)
class Written:
    """What was decoded and written again. None stands for what such media do not have."""

    media_type: str
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    frames: int | None = None
