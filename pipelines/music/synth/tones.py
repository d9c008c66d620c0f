"""One note of a voice as a wave."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.signal import butter, sosfilt

from pipelines.music.synth.partials import BLOCK, Numbers, Wave, points, summed, times
from pipelines.music.synth.voices import HELD, Voice

MOST_PARTIALS = 72

HIGHEST = 0.42
"""Partials above this share of the sample rate are left out."""

MIDDLE_C = 261.63
"""Hertz."""

CENT = np.log(2) / 1200
"""A hundredth of a semitone, as a share of the frequency."""

SHARED = 0.25
"""How much each side hears of an ensemble's players on the other side."""

VIBRATO_HERTZ = 5.3
VIBRATO_DELAY = 0.25
"""Seconds until the vibrato is there."""

TREMOLO_HERTZ = 4.6

FORCES = (0.25, 0.45, 0.65, 0.85)
"""How strongly a note can be played, as far as its colour goes; its level follows its velocity exactly."""

NOISE_SECONDS = 8
"""How much noise of each colour is made; longer breaths come round."""


def hertz_of(pitch: float) -> float:
    """The frequency of a MIDI key in equal temperament."""
    return float(440.0 * 2 ** ((pitch - 69) / 12))


def force_of(velocity: int) -> float:
    """The nearest of FORCES."""
    return min(FORCES, key=lambda force: abs(force - velocity / 127))


@dataclass(frozen=True)
class Tone:
    """A note that is held for so many samples."""

    voice: Voice
    pitch: int
    force: float
    samples: int
    rate: int
    turn: int = 0
    """Which of several: nobody plays a note twice in quite the same way."""

    def wave(self) -> Wave:
        """(1 or 2, samples), with an effective value of about 1 at its beginning, whatever the voice. The
        same tone is the same wave, bit for bit."""
        dice = np.random.default_rng([self.pitch, round(100 * self.force), self.turn])
        if self.voice.players == 1:
            return self._together([0.0], dice)[None, :]
        cents = np.linspace(-1, 1, self.voice.players) * self.voice.apart
        sides = (cents[::2], -cents[::2])  # mirrored, so that neither side is the sharp one
        left, right = (self._together(side, dice) for side in sides)
        both: Wave = np.stack([left + SHARED * right, right + SHARED * left])
        return both / np.float32(np.hypot(1, SHARED))

    def _together(self, cents: Sequence[float] | Numbers, dice: np.random.Generator) -> Wave:
        """Players that are out of tune by `cents`."""
        count = points(self.samples)
        at = times(count, self.rate)
        hertz, strengths = partials(self.voice, hertz_of(self.pitch), self.force, self.rate)
        levels = strengths * course(self.voice, hertz, at)
        heard = np.zeros((count - 1) * BLOCK, np.float32)
        for off in cents:
            phases = dice.uniform(0, 2 * np.pi, len(hertz))
            bends = None
            if self.voice.fade == HELD:
                bends = _wandering(self.voice, at, dice)[:, None]
            heard += summed(hertz * (1 + off * CENT), levels, phases, self.rate, bends)
        heard /= np.sqrt(len(cents))
        return heard[: self.samples] + self._noises(dice)

    def _noises(self, dice: np.random.Generator) -> Wave:
        """Breath, bow or bellows for as long as the tone sounds, and what strikes it."""
        voice, begin = self.voice, int(dice.integers(NOISE_SECONDS * self.rate))
        at = np.arange(self.samples, dtype=np.float32) / self.rate
        heard = np.zeros(self.samples, np.float32)
        if voice.breath[0]:
            swelling = voice.breath[0] * (1 - np.exp(-3 * at / voice.attack))
            heard += swelling * self._noise(voice.breath, begin, self.samples)
        if voice.knock[0]:
            length = min(self.samples, self.rate // 8)
            since = at[:length]
            struck = 4 * voice.knock[0] * (1 - np.exp(-since / 0.001)) * np.exp(-since / 0.018)
            heard[:length] += struck * self._noise(voice.knock, begin, length)
        return heard

    def _noise(self, colour: tuple[float, float, float], begin: int, samples: int) -> Wave:
        _, low, high = colour
        return np.take(noise(low, high, self.rate), np.arange(begin, begin + samples), mode="wrap")


def partials(voice: Voice, first: float, force: float, rate: int) -> tuple[Numbers, Numbers]:
    """Frequencies in hertz and levels of a tone's partials; together they have an effective value of 1."""
    if voice.bars:
        ratios, levels = np.array(voice.bars).T[:2]
    else:
        ratios = np.arange(1, MOST_PARTIALS + 1.0)
        levels = ratios**-voice.tilt * np.where(ratios % 2 == 0, voice.even, 1.0)
        if voice.pluck:
            levels = levels * np.abs(np.sin(np.pi * voice.pluck * ratios))
        ratios = ratios * np.sqrt((1 + voice.stretch * ratios**2) / (1 + voice.stretch))
    hertz = first * ratios
    levels = np.where(hertz < HIGHEST * rate, levels * passed(voice, hertz, first, force), 0)
    heard = levels > levels.max() * 1e-3
    return hertz[heard], levels[heard] / np.sqrt((levels**2).sum() / 2)


def passed(voice: Voice, hertz: Numbers, first: float, force: float) -> Numbers:
    """What the cutoff and the body leave of each frequency. No cutoff is below the tone itself."""
    cutoff = max(voice.cutoff * 4 ** (force - 0.6), 1.5 * first)
    left: Numbers = 1 / np.sqrt(1 + (hertz / cutoff) ** (2 * voice.slope))
    for middle, width, decibels in voice.body:
        bell = np.exp(-((np.log2(hertz / middle) / width) ** 2))
        left = left * 10 ** (decibels / 20 * bell)
    return left


def course(voice: Voice, hertz: Numbers, at: Numbers) -> Numbers:
    """How the level of each partial goes with time, (points, partials)."""
    order = np.arange(len(hertz))
    since = at[:, None] / (voice.attack * (1 + voice.opening * order))
    going: Numbers = (1 - np.exp(-4 * since)) ** 2 if voice.fade == HELD else np.minimum(1, since)
    if voice.fade != HELD:
        going = going * _fading(voice, hertz, order, at)
    if voice.tremolo:
        going = going * (1 - voice.tremolo / 2 * (1 - np.cos(2 * np.pi * TREMOLO_HERTZ * at)))[:, None]
    return going


def _fading(voice: Voice, hertz: Numbers, order: Numbers, at: Numbers) -> Numbers:
    """Quickly at first and slowly then, as strings and bars that lose their sound to a body do."""
    fade = voice.fade * (MIDDLE_C / hertz[0]) ** 0.55
    shares = np.array(voice.bars)[: len(order), 2] if voice.bars else 1 / (1 + voice.damping * order)
    fades = np.maximum(fade * shares, 0.01)
    fading: Numbers = 0.75 * np.exp(-at[:, None] / fades) + 0.25 * np.exp(-at[:, None] / (3.5 * fades))
    return fading


def _wandering(voice: Voice, at: Numbers, dice: np.random.Generator) -> Numbers:
    """By how much the frequency moves: a vibrato that comes late, and small faults."""
    there = 1 - np.exp(-((at / VIBRATO_DELAY) ** 2))
    pace = VIBRATO_HERTZ * dice.uniform(0.93, 1.07)
    cents: Numbers = np.sin(2 * np.pi * (pace * at + dice.uniform())) * voice.vibrato * there
    for slow in dice.uniform(0.4, 2.0, size=2):
        cents = cents + 1.2 * np.sin(2 * np.pi * (slow * at + dice.uniform()))
    return cents * float(CENT)


@lru_cache(maxsize=32)
def noise(low: float, high: float, rate: int) -> Wave:
    """Noise between two frequencies, with an effective value of 1."""
    white = np.random.default_rng(round(7 * low + high)).standard_normal(NOISE_SECONDS * rate)
    band = butter(2, (low, min(high, HIGHEST * rate)), "bandpass", fs=rate, output="sos")
    heard = sosfilt(band, white)
    colour: Wave = (heard / np.sqrt((heard**2).mean())).astype(np.float32)
    colour.flags.writeable = False
    return colour
