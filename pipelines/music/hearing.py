"""What a piece sounds like to one who sees only its notes: key, pulse, instruments, length, outer voices."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pipelines.music.instruments import BY_PROGRAM, DRUMS
from pipelines.music.score import Note, Part, Score
from pipelines.music.theory import MODES, key_name

PROFILES = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
"""How well each semitone fits a key, from C. Krumhansl and Kessler's listeners (Krumhansl, Cognitive
Foundations of Musical Pitch, 1990, table 2.1)."""

PULSES = (1 / 3, 1 / 2, 2 / 3, 1, 3 / 2, 2, 3, 4)
"""Pulses that belong to the same tempo: notes may go twice as fast as the beat, or three in two."""


def pitched(score: Score) -> Iterable[Note]:
    """All notes that have a pitch."""
    return (note for part in score.parts if not part.drums for note in part.notes)


def key_of(score: Score) -> str:
    """The key whose profile fits best how long each pitch class sounds (Krumhansl and Schmuckler)."""
    fits = _key_fits(score)
    return max(fits, key=lambda key: fits[key])


def key_margin(score: Score, key: str) -> float:
    """By how much this key's correlation is better than any other's; negative where another is better."""
    fits = _key_fits(score)
    return fits.pop(key) - max(fits.values())


def _key_fits(score: Score) -> dict[str, float]:
    weights = np.zeros(12)
    for note in pitched(score):
        weights[note.pitch % 12] += note.length
    if not weights.any():
        raise ValueError("no pitches, no key")
    turned = {key_name(tonic, mode): np.roll(PROFILES[mode], tonic) for mode in MODES for tonic in range(12)}
    fits = np.corrcoef(np.stack([weights, *turned.values()]))[0, 1:]
    return dict(zip(turned, map(float, fits), strict=True))


def instruments_of(score: Score) -> frozenset[str]:
    """Names of what plays at least one note; `program 17` for programs that the songbook does not know."""
    return frozenset(
        DRUMS if part.drums else BY_PROGRAM.get(part.program, f"program {part.program}")
        for part in score.parts
        if part.notes
    )


def keeps_pulse(score: Score, tempo: float, within: float = 0.03) -> bool:
    """Whether the times at which notes begin fit a pulse of this tempo, looked for from 30 to 400 a minute.

    The comb of every candidate is laid over the onsets in seconds: most must fall on its teeth. The tempo is
    kept when one of the best combs is a PULSES' multiple of it.
    """
    onsets = np.unique([score.seconds_at(note.start) for part in score.parts for note in part.notes])
    if len(onsets) < 4:
        return True  # too few to tell: the file's own tempo decides
    rates = np.arange(30.0, 400.0, 0.25)
    fits = np.array([_fit(onsets - onsets[0], 60 / rate) for rate in rates])
    good = rates[fits > fits.max() - 0.02]
    wanted = tempo * np.array(PULSES)
    return bool((np.abs(good[:, None] / wanted[None, :] - 1) < within).any())


def _fit(onsets: NDArray[np.float64], period: float) -> float:
    """How well onsets fall on a comb, 0 to 1: the length of their mean phase, less for finer combs."""
    phase = np.exp(2j * np.pi * onsets / period)
    return float(abs(phase.mean())) - 0.05 * float(np.log2(max(1.0, onsets[-1] / period / len(onsets))))


def outer(score: Score) -> tuple[Part, Part]:
    """The parts that lie highest and lowest on average (the same one, where there is only one)."""
    parts = [part for part in score.parts if part.notes and not part.drums]
    height = {id(part): float(np.mean([note.pitch for note in part.notes])) for part in parts}
    return max(parts, key=lambda part: height[id(part)]), min(parts, key=lambda part: height[id(part)])


def line(part: Part, *, lowest: bool = False) -> list[Note]:
    """One note at a time: of notes that begin together the highest, or the lowest."""
    chosen: dict[int, Note] = {}
    for note in part.notes:
        old = chosen.get(note.start)
        if old is None or (note.pitch < old.pitch if lowest else note.pitch > old.pitch):
            chosen[note.start] = note
    return [chosen[start] for start in sorted(chosen)]
