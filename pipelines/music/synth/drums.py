"""The drum kit: what each key of General MIDI's drum map sounds like."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfilt

from pipelines.music.synth.partials import Numbers, Wave


@dataclass(frozen=True)
class Drum:
    """Something that is struck: a skin, noise, metal, or several of them. Times are in seconds."""

    # A skin (or wood): a tone that falls

    hertz: float = 0.0
    """What it comes to rest at; 0: there is no tone."""
    fall: float = 0.0
    """How many times as high it begins, less one."""
    falling: float = 0.03
    tone_fade: float = 0.1
    tone: float = 1.0

    # Noise: snares, maracas, the stick

    noise: float = 0.0
    low: float = 1_000.0
    high: float = 10_000.0
    noise_fade: float = 0.08
    swell: float = 0.001
    """Until the noise is at its loudest: longer for what is shaken."""
    claps: int = 1
    """How often the noise begins anew, shortly after one another."""

    # Metal: many tones that do not fit together

    metal: float = 0.0
    metal_low: float = 3_000.0
    metal_fade: float = 0.05

    # Where it stands

    gain: float = 0.0
    """Decibels."""
    pan: float = 0.0
    room: float = 0.15


KICK = Drum(
    hertz=48, fall=3.2, tone_fade=0.16, noise=0.12, low=800, high=4_000, noise_fade=0.006, gain=1, room=0.04
)
SNARE = Drum(
    hertz=185, fall=0.5, falling=0.015, tone_fade=0.07, tone=0.6, noise=0.8, low=900, noise_fade=0.11, gain=-4
)
STICK = Drum(
    hertz=1_750, tone_fade=0.018, tone=0.6, noise=0.4, low=1_200, high=5_000, noise_fade=0.012, gain=-9
)
CLAP = Drum(noise=1.0, low=800, high=4_500, noise_fade=0.07, claps=4, gain=-7, room=0.3)
HAT = Drum(
    metal=0.7,
    metal_low=6_500,
    metal_fade=0.035,
    noise=0.35,
    low=7_000,
    high=15_000,
    noise_fade=0.03,
    gain=-14,
    pan=0.25,
)
OPEN_HAT = Drum(
    metal=0.7,
    metal_low=6_000,
    metal_fade=0.22,
    noise=0.35,
    low=7_000,
    high=15_000,
    noise_fade=0.18,
    gain=-15,
    pan=0.25,
)
CRASH = Drum(
    metal=0.8,
    metal_low=2_500,
    metal_fade=0.8,
    noise=0.6,
    low=3_500,
    high=15_000,
    noise_fade=0.5,
    gain=-13,
    pan=-0.3,
    room=0.3,
)
RIDE = Drum(
    metal=1.0, metal_low=3_500, metal_fade=0.45, noise=0.15, low=6_000, noise_fade=0.03, gain=-15, pan=0.35
)
RIDE_BELL = Drum(metal=1.0, metal_low=1_800, metal_fade=0.5, gain=-15, pan=0.35)
TAMBOURINE = Drum(
    metal=0.6,
    metal_low=7_000,
    metal_fade=0.07,
    noise=0.6,
    low=6_000,
    high=14_000,
    noise_fade=0.06,
    gain=-13,
    pan=-0.2,
)
SHAKER = Drum(noise=1.0, low=4_500, high=12_000, noise_fade=0.03, swell=0.02, gain=-14, pan=-0.3)
TRIANGLE = Drum(metal=1.0, metal_low=5_000, metal_fade=1.0, gain=-20, pan=0.3, room=0.3)
COWBELL = Drum(
    hertz=560, tone_fade=0.09, tone=0.6, metal=0.5, metal_low=800, metal_fade=0.06, gain=-12, pan=0.2
)
BLOCK = Drum(hertz=900, tone_fade=0.03, noise=0.2, low=1_000, high=4_000, noise_fade=0.008, gain=-9, pan=0.2)


def _skin(hertz: float, pan: float, fade: float = 0.2) -> Drum:
    """A tom, a bongo, a conga."""
    return Drum(hertz=hertz, fall=0.6, falling=0.04, tone_fade=fade, noise=0.15, low=400, high=3_000,
                noise_fade=0.015, gain=-3, pan=pan, room=0.2)  # fmt: skip


def _wood(hertz: float, pan: float = 0.2) -> Drum:
    return Drum(
        hertz=hertz, tone_fade=0.03, noise=0.2, low=1_000, high=5_000, noise_fade=0.006, gain=-9, pan=pan
    )


DRUMS: dict[int, Drum] = {
    **dict.fromkeys((35, 36), KICK),
    **dict.fromkeys((38, 40), SNARE),
    **dict.fromkeys((31, 33, 37), STICK),
    39: CLAP,
    **dict.fromkeys((42, 44), HAT),
    46: OPEN_HAT,
    **dict.fromkeys((49, 52, 55, 57), CRASH),
    **dict.fromkeys((51, 59), RIDE),
    53: RIDE_BELL,
    54: TAMBOURINE,
    56: COWBELL,
    **dict.fromkeys((69, 70, 73, 74, 82), SHAKER),
    **dict.fromkeys((80, 81, 83), TRIANGLE),
    41: _skin(75, 0.4), 43: _skin(90, 0.3), 45: _skin(110, 0.15), 47: _skin(130, 0.0),
    48: _skin(155, -0.15), 50: _skin(185, -0.3),
    60: _skin(400, 0.3, 0.07), 61: _skin(290, 0.3, 0.08), 62: _skin(230, -0.3, 0.05),
    63: _skin(220, -0.3, 0.15),
    64: _skin(165, -0.3, 0.18), 65: _skin(330, 0.2, 0.15), 66: _skin(240, 0.2, 0.15),
    75: _wood(2_500), 76: _wood(1_100), 77: _wood(800),
}  # fmt: skip
"""By MIDI key."""

OTHERWISE = BLOCK
"""What a key that is not there sounds like."""

STRIPES = (1.0, 1.342, 1.787, 2.119, 2.513, 2.971, 3.344, 3.873, 4.409, 5.013, 5.621, 6.283)
"""Frequencies of metal, as multiples of the lowest; no two fit together."""

STILL = 7.0
"""After so many times its fade a sound is a thousandth of what it was."""


def strike(key: int, rate: int, turn: int = 0) -> Wave:
    """One stroke, (samples,), its largest value about 1 before `gain`; always the same for the same turn."""
    drum = DRUMS.get(key, OTHERWISE)
    longest = max(
        drum.tone_fade * bool(drum.hertz),
        drum.noise_fade * bool(drum.noise),
        drum.metal_fade * bool(drum.metal),
    )
    at = np.arange(int(STILL * longest * rate)) / rate
    dice = np.random.default_rng([key, turn])
    heard = _tone(drum, at) + _noise(drum, at, rate, dice) + _metal(drum, at, rate, dice)
    wave: Wave = (heard * 10 ** (drum.gain / 20)).astype(np.float32)
    return wave


def _tone(drum: Drum, at: Numbers) -> Numbers:
    if not drum.hertz:
        return np.zeros_like(at)
    turns = drum.hertz * (at + drum.fall * drum.falling * (1 - np.exp(-at / drum.falling)))
    return drum.tone * np.sin(2 * np.pi * turns) * np.exp(-at / drum.tone_fade)


def _noise(drum: Drum, at: Numbers, rate: int, dice: np.random.Generator) -> Numbers:
    if not drum.noise:
        return np.zeros_like(at)
    band = butter(2, (drum.low, min(drum.high, 0.45 * rate)), "bandpass", fs=rate, output="sos")
    white = sosfilt(band, dice.uniform(-1, 1, len(at)))
    going = np.zeros(len(at))
    for clap in range(drum.claps):
        since = at - 0.011 * clap
        going = np.where(
            since >= 0, np.exp(-since / drum.noise_fade) * (1 - np.exp(-3 * since / drum.swell)), going
        )
    heard: Numbers = drum.noise * white / np.abs(white).max() * going
    return heard


def _metal(drum: Drum, at: Numbers, rate: int, dice: np.random.Generator) -> Numbers:
    if not drum.metal:
        return np.zeros_like(at)
    lowest = drum.metal_low / 2.5
    hertz = np.array([lowest * stripe for stripe in STRIPES if lowest * stripe < 0.42 * rate])
    turns = 2 * np.pi * (hertz[:, None] * at + dice.uniform(size=(len(hertz), 1)))
    rung = sosfilt(butter(2, drum.metal_low, "highpass", fs=rate, output="sos"), np.sin(turns).sum(axis=0))
    heard: Numbers = drum.metal * rung / np.abs(rung).max() * np.exp(-at / drum.metal_fade)
    return heard
