"""Mastering: −14 LUFS, no true peak above −1 dB, nothing else changed."""

import numpy as np
import pyloudnorm
import pytest

from pipelines.music.mastering import LOUDNESS, PEAK, loudness, master, true_peak

RATE = 44_100


def tones(seconds: float, *hertz: float) -> np.ndarray:
    at = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * one * at) for one in hertz) / len(hertz)
    return np.stack([wave, 0.8 * wave]).astype(np.float32)


def clicks(seconds: float) -> np.ndarray:
    """Quiet noise with loud beats: the peaks are far above the mean."""
    dice = np.random.default_rng(0)
    heard = 0.02 * dice.standard_normal((2, round(seconds * RATE)))
    for begin in range(0, heard.shape[1] - 2_000, RATE // 2):
        heard[:, begin : begin + 2_000] += (
            0.9 * np.exp(-np.arange(2_000) / 200) * np.sin(np.arange(2_000) / 4)
        )
    return heard.astype(np.float32)


@pytest.mark.parametrize("level", [0.003, 0.2, 5.0])
@pytest.mark.parametrize(
    "heard", [tones(3, 220, 440), tones(1, 1_000), clicks(4)], ids=["chord", "short", "beats"]
)
def test_a_sound_comes_to_its_loudness_below_its_peak(heard: np.ndarray, level: float) -> None:
    made = master(heard * np.float32(level), RATE)

    assert made.shape == heard.shape
    assert pyloudnorm.Meter(RATE).integrated_loudness(made.T) == pytest.approx(LOUDNESS, abs=0.5)
    assert true_peak(made) <= PEAK + 0.01


def test_what_needs_no_limiting_is_only_made_louder() -> None:
    heard = tones(2, 300)

    made = master(0.1 * heard, RATE)

    middle = made[0, RATE // 2 : -RATE // 2]
    heights = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    tone = heights.argmax()
    assert tone * RATE / len(middle) == pytest.approx(300, abs=2)
    heights[tone - 8 : tone + 9] = 0
    assert heights.max() < 1e-3 * np.abs(np.fft.rfft(middle * np.hanning(len(middle)))).max()
    assert np.abs(made[1]).max() == pytest.approx(0.8 * np.abs(made[0]).max(), rel=1e-3)


def test_silence_stays_silent() -> None:
    assert not master(np.zeros((2, RATE), np.float32), RATE).any()


def test_a_sound_shorter_than_a_block_of_the_measure_is_measured_whole() -> None:
    assert np.isfinite(loudness(tones(0.2, 500), RATE))


def test_a_true_peak_may_lie_between_samples() -> None:
    at = np.arange(RATE)
    heard = np.tile(np.sin(np.pi / 2 * at + np.pi / 4), (2, 1)).astype(
        np.float32
    )  # samples never see its top

    assert 20 * np.log10(np.abs(heard).max()) == pytest.approx(-3, abs=0.1)
    assert true_peak(heard) == pytest.approx(0, abs=0.3)
