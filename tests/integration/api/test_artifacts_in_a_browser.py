"""A video's address, opened in a browser: it shows."""

from fractions import Fraction
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from pipelines import media
from pipelines.base import Output
from pipelines.outputs import Video
from tests.integration.api.support import ApiServer, Hand, submitted
from tests.media import tools
from tests.media.samples import asked

RED = (255, 0, 0)
PATIENCE = (2, 8, 32)
"""Seconds that the browser is given, in turn, to fetch and show a frame."""


def shown(url: str, folder: Path, seconds: int) -> tuple[int, int, int]:
    """The colour in the middle of the browser's window."""
    picture = folder / f"after-{seconds}.png"
    switches = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=400,300",
    )
    tools.run(
        "chromium", *switches, f"--user-data-dir={folder / 'profile'}", f"--timeout={1000 * seconds}",
        f"--screenshot={picture}", url,
    )  # fmt: skip
    with Image.open(picture) as window:
        red, green, blue = window.convert("RGB").resize((1, 1), box=(190, 90, 210, 110)).tobytes()
    return red, green, blue


def test_a_video_shows(api: ApiServer, client: httpx.Client, hand: Hand, tmp_path: Path) -> None:
    frames = np.full((48, 240, 320, 3), RED, np.uint8)
    (file, _) = media.write(Output(0, Video(frames, Fraction(24)), 1), tmp_path, {}, asked("mp4"))
    job = submitted(client)
    hand.finish({file.name: file.path.read_bytes()})
    url = f"{api.url}{job['urls']['self']}/artifacts/{file.name}"

    for seconds in PATIENCE:
        colour = shown(url, tmp_path, seconds)
        if np.abs(np.subtract(colour, RED)).max() < 16:
            return
    pytest.fail(f"the browser shows {colour}")
