"""A flash and a click that belong together are seen and heard together, by tools that are not ours."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from pipelines import media
from pipelines.base import Output
from tests.media import tools
from tests.media.samples import TONE_SECONDS, asked, flashing

SYNC_SECONDS = 0.02


@pytest.mark.parametrize("form", ["mp4", "webm"])
@pytest.mark.parametrize(
    ("fps", "rate", "channels"),
    [(24, 44_100, 2), (Fraction(30_000, 1001), 16_000, 1), (8, 48_000, 2), (60, 24_000, 2), (25, 11_000, 1)],
)
def test_picture_and_sound_stay_together(tmp_path, form, fps, rate, channels):
    made, times = flashing(fps, rate, channels, (64, 48))

    file = media.write(Output(0, made, 7), tmp_path, {}, asked(form))[0]

    flashes = [when for when, brightness in tools.seen(file.path) if brightness > 128]
    clicks = onsets(tools.heard(file.path))
    assert len(flashes) == len(clicks) == len(times)
    for flash, click, wanted in zip(flashes, clicks, times, strict=True):
        assert abs(flash - click) <= SYNC_SECONDS
        assert abs(flash - wanted) <= 0.001  # WebM counts in milliseconds
    heard_seconds = len(tools.heard(file.path)) / 48_000
    assert heard_seconds == pytest.approx(len(made.frames) / float(fps), abs=0.1)


def onsets(heard: np.ndarray) -> list[float]:
    """When a tone begins after silence, in seconds."""
    loud = np.flatnonzero(abs(heard) > 0.2) / 48_000
    return [loud[0], *(later for sooner, later in pairwise(loud) if later - sooner > TONE_SECONDS)]


def test_a_sound_that_is_longer_than_its_pictures_is_cut_where_they_end(tmp_path):
    made, _ = flashing(24, 48_000, 2, (64, 48))
    longer = np.concatenate([made.sound.samples, np.full((48_000, 2), 0.5, np.float32)])
    video = type(made)(made.frames, 24, type(made.sound)(longer, 48_000))

    file = media.write(Output(0, video, 7), tmp_path, {}, asked("webm"))[0]

    heard = tools.heard(file.path)
    assert len(heard) / 48_000 == pytest.approx(2.0, abs=0.021)
    assert abs(heard[: 2 * 48_000 - 480][-4000:]).max() < 0.1
