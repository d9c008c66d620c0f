"""What an uploaded file may be at most, and what checking it may take. The parent reads it too."""

from dataclasses import dataclass

from infra.confine import Limits

MIB = 1024 * 1024

IMAGE_PIXELS = 40_000_000  # about 160 MB as RGBA; the memory limit allows three such copies

SOUND_SECONDS = 600.0
SOUND_CHANNELS = 8  # stored as one or two
SOUND_RATES = (8_000, 192_000)  # Hz; stored at 48 kHz at most

VIDEO_SECONDS = 60.0
VIDEO_FRAMES = 3_600
VIDEO_FRAME_PIXELS = 1920 * 1088
VIDEO_PIXELS = 600_000_000  # of all frames together: 27 s of 1280 × 720 at 24 frames a second
STREAMS = 16  # of a container

SCORE_BYTES = MIB
SCORE_TRACKS = 64
SCORE_EVENTS = 200_000


@dataclass(frozen=True)
class Budget:
    """What the child may take for one class of media."""

    seconds: float  # of wall clock: such work on a slow core that it shares with one other
    limits: Limits


BUDGETS = {
    "image": Budget(20.0, Limits(1536 * MIB, 20, 256 * MIB)),
    "audio": Budget(60.0, Limits(1024 * MIB, 60, 256 * MIB)),
    "video": Budget(90.0, Limits(1536 * MIB, 90, 256 * MIB)),
}
