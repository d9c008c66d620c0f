"""Tools that are not ours, asked what a file is. Missing ones skip a test here, and fail it in CI."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from tests.servers import missing

SECONDS = 120


def program(name: str) -> str:
    """Where the program is."""
    found = shutil.which(name)
    if found is None:
        missing(name)
    return str(found)


def run(name: str, *words: str | Path) -> bytes:
    done = subprocess.run(
        [program(name), *map(str, words)], capture_output=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def probe(path: Path) -> dict[str, Any]:
    """What ffprobe tells of a file, its frames counted by decoding them all."""
    words = ("-v", "error", "-count_frames", "-show_format", "-show_streams", "-of", "json")
    found: dict[str, Any] = json.loads(run("ffprobe", *words, path))
    return found


def stream(probed: dict[str, Any], media: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in probed["streams"] if each["codec_type"] == media)
    return found


def heard(path: Path, rate: int = 48_000) -> np.ndarray:
    """The sound of a file, one channel, as ffmpeg plays it."""
    raw = run("ffmpeg", "-v", "error", "-i", path, "-vn", "-ac", "1", "-ar", str(rate), "-f", "f32le", "-")
    return np.frombuffer(raw, np.float32)


def seen(path: Path) -> list[tuple[float, float]]:
    """When ffmpeg shows each frame of a video, and how bright it is (0 to 255)."""
    words = ("-v", "error", "-f", "lavfi", "-of", "json")
    wanted = ("-show_entries", "frame=pts_time:frame_tags=lavfi.signalstats.YAVG")
    found = json.loads(run("ffprobe", *words, *wanted, f"movie={path},signalstats"))
    return [
        (float(frame["pts_time"]), float(frame["tags"]["lavfi.signalstats.YAVG"]))
        for frame in found["frames"]
    ]


def file_type(path: Path) -> str:
    """The media type by `file`."""
    return run("file", "--brief", "--mime-type", path).decode().strip()
