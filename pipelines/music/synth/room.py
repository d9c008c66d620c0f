"""The room that the instruments stand in: what it gives back of each sound, and where each is heard."""

from functools import lru_cache

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from pipelines.music.synth.partials import Wave

BANDS = ((120, 900, 1.5), (900, 4_000, 1.25), (4_000, 9_000, 0.7))
"""Lowest and highest hertz, and the seconds in which the room falls silent (by 60 decibels) there."""

FIRST_BACK = 0.018
"""Seconds until the first wall answers."""

WALLS = ((0.018, 0.5), (0.027, 0.42), (0.034, 0.36), (0.046, 0.3), (0.061, 0.24), (0.079, 0.18))
"""Seconds and levels of the first echoes; the sides hear them a little apart."""

SECONDS = 1.6
"""How long the answer is."""

CROSSED = 0.35
"""How much of each side's sound comes back from the other side."""


def seats(pan: float) -> tuple[float, float]:
    """Levels of left and right for −1 (left) to 1 (right), equally loud wherever it is."""
    angle = (pan + 1) * np.pi / 4
    return float(np.cos(angle) * np.sqrt(2)), float(np.sin(angle) * np.sqrt(2))


def echoed(sent: Wave, rate: int) -> Wave:
    """What the room gives back of a sound of (2, samples), as long as that."""
    crossed = (1 - CROSSED) * sent + CROSSED * sent[::-1]
    back: Wave = fftconvolve(crossed, answer(rate), axes=1)[:, : sent.shape[1]]
    return back


@lru_cache(maxsize=4)
def answer(rate: int) -> Wave:
    """What the room makes of a click, (2, samples): echoes of the walls, then noise that dies away."""
    dice = np.random.default_rng(11)
    at = np.arange(round(SECONDS * rate)) / rate
    heard = np.zeros((2, len(at)))
    for low, high, silent in BANDS:
        band = butter(2, (low, min(high, 0.45 * rate)), "bandpass", fs=rate, output="sos")
        heard += sosfilt(band, dice.standard_normal(heard.shape)) * 10 ** (-3 * at / silent)
    heard *= np.clip((at - FIRST_BACK) / 0.03, 0, 1)
    heard *= np.minimum(1, (SECONDS - at) / 0.2)
    heard /= np.sqrt((heard**2).sum(axis=1, keepdims=True))
    for side, later in enumerate((1.0, 1.07)):
        for seconds, level in WALLS:
            heard[side, round(seconds * later * rate)] += level * 0.5
    wave: Wave = heard.astype(np.float32)
    wave.flags.writeable = False
    return wave
