"""The last step before a sound leaves: made as loud as music is expected to be, with no peak cut off.

Loudness is that of ITU-R BS.1770-4, as pyloudnorm measures it; a true peak is the highest value between the
samples, too, found by sampling four times as often.
"""

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d, uniform_filter1d
from scipy.signal import butter, resample_poly, sosfilt

with warnings.catch_warnings():
    warnings.simplefilter("ignore", SyntaxWarning)
    from pyloudnorm import Meter

LOUDNESS = -14.0
"""LUFS."""

PEAK = -1.0
"""Decibels of full scale that no true peak is above."""

NEAR = 0.1
"""LUFS within which it is right."""

LOOK = 0.006
"""Seconds before a peak at which the limiter begins to give way, and after it until it has come back."""

TRIES = 8

LOWEST = 25.0
"""Hertz below which there is nothing to hear."""

_SPARE = 0.2
"""Decibels by which the limiter stays below PEAK: its own motion raises peaks a little."""


def master(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """The sound, (2, samples), at LOUDNESS and below PEAK; as it is where there is nothing to hear."""
    highest = np.abs(samples).max()
    if not highest:
        return samples
    deep = butter(2, LOWEST, "highpass", fs=rate, output="sos").astype(np.float32)
    heard = np.asarray(sosfilt(deep, samples / highest), np.float32)
    if not np.isfinite(now := loudness(heard, rate)):
        return samples
    peaks, gain = _peaks(heard), LOUDNESS - now
    made = heard
    for _ in range(TRIES):
        made = heard * _limited(peaks, gain, rate)
        off = LOUDNESS - loudness(made, rate)
        if abs(off) < NEAR:
            break
        gain += off
    over = 20 * np.log10(_peaks(made).max()) - PEAK
    return made * np.float32(10 ** (-max(0.0, over) / 20))


def loudness(samples: NDArray[np.float32], rate: int) -> float:
    """LUFS of (2, samples); −∞ where nothing is heard."""
    block = min(0.4, samples.shape[1] / rate)
    return float(Meter(rate, block_size=block).integrated_loudness(samples.T))


def true_peak(samples: NDArray[np.float32]) -> float:
    """Decibels of full scale."""
    with np.errstate(divide="ignore"):
        return float(20 * np.log10(_peaks(samples).max()))


def _peaks(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The highest value at and after each sample, (samples,)."""
    often = np.abs(resample_poly(samples, 4, 1, axis=1)).max(axis=0)
    highest: NDArray[np.float32] = often.reshape(-1, 4).max(axis=1)
    return highest


def _limited(peaks: NDArray[np.float32], gain: float, rate: int) -> NDArray[np.float32]:
    """The level of each sample: `gain` decibels, and less round the peaks that would be too high."""
    level = 10 ** (gain / 20)
    ceiling = 10 ** ((PEAK - _SPARE) / 20)
    allowed = np.minimum(level, ceiling / np.maximum(peaks, 1e-9)).astype(np.float32)
    reach = max(1, round(LOOK * rate))
    lowest = minimum_filter1d(allowed, 4 * reach + 1, mode="nearest")
    smooth = uniform_filter1d(uniform_filter1d(lowest, 2 * reach + 1), 2 * reach + 1)
    return np.asarray(smooth, np.float32)
