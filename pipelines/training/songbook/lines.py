"""Single lines by dynamic programming: of all lines that keep the rules, (nearly) the cheapest.

Rules after J. J. Fux, Gradus ad Parnassum, and any harmony primer: strong notes belong to the chord, or are
suspensions that step down; other notes that do not belong to it are entered and left by step; no leap of a
tritone or a seventh; the leading tone rises, a seventh falls.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.music.theory import SCALES, Chord

FORBIDDEN = 1000.0
_LEAPS = np.array([0.9, 0, 0, 0.6, 0.7, 1.0, FORBIDDEN, 1.3, 2.4, 2.6, FORBIDDEN, FORBIDDEN, 2.2])


@dataclass(frozen=True)
class Slot:
    """One note to be found."""

    chord: Chord
    strong: bool
    """Whether it begins on a strong beat."""
    tied: bool = False
    """Whether it only goes on with the note before."""
    target: float = 0
    """The pitch that the contour would have here."""
    copy: int | None = None
    """Interval to the note before that the motif would have, in steps of the scale."""
    against: tuple[tuple[int, int], ...] = ()
    """Pitches just before and now of the other voices that move together with it."""
    fixed: int | None = None
    """The pitch class that it must have."""
    never: int | None = None
    """The pitch class that it must not have."""
    pinned: int | None = None
    """The pitch that it has already: the note just before the line."""


@dataclass(frozen=True)
class Manner:
    """How a line is drawn."""

    mode: str
    low: int
    high: int
    leaps: float = 1
    pull: float = 0.13
    """What a semitone from the contour costs."""
    noise: float = 0.7
    plain: bool = False
    """Whether it has notes of the chord only."""
    motif: float = 0.9


def draw(slots: list[Slot], manner: Manner, random: np.random.Generator) -> list[int]:
    """The pitches of a line, those of pinned slots too."""
    pitches = np.arange(manner.low, manner.high + 1)
    nodes = np.stack([_node(slot, pitches, manner) for slot in slots])
    nodes += random.random(nodes.shape) * manner.noise
    foreign = [~_belongs(slot.chord, pitches) for slot in slots]
    total, back = nodes[0], []
    for number in range(1, len(slots)):
        ways = total[:, None] + _edge(slots, number, pitches, foreign, manner)
        back.append(ways.argmin(0))
        total = ways.min(0) + nodes[number]
    path = [int(total.argmin())]
    for best in reversed(back):
        path.append(int(best[path[-1]]))
    return [int(pitches[index]) for index in reversed(path)]


def degree(pitch: int, mode: str) -> int:
    """How many steps of the scale lie between the tonic and the pitch, or the note just below it."""
    octave, rest = divmod(pitch, 12)
    return octave * 7 + sum(step <= rest for step in SCALES[mode]) - 1


def scale_of(chord: Chord, mode: str) -> frozenset[int]:
    """The pitch classes that sound right over a chord: the scale's, with the chord's own alterations."""
    scale = set(SCALES[mode])
    for tone in chord.tones:
        if tone not in scale:
            scale -= {tone - 1, tone + 1, (tone + 1) % 12, (tone - 1) % 12} - set(chord.tones)
            scale.add(tone)
    return frozenset(scale)


def _belongs(chord: Chord, pitches: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.isin(pitches % 12, chord.tones)


def _node(slot: Slot, pitches: NDArray[np.int64], manner: Manner) -> NDArray[np.float64]:
    if slot.pinned is not None:
        return np.where(pitches == slot.pinned, 0, FORBIDDEN * 10)
    belongs = _belongs(slot.chord, pitches)
    cost = np.where(belongs, 0.0, 0.35)
    if manner.plain or (slot.strong and not slot.tied):
        cost[~belongs] = FORBIDDEN
    cost[~np.isin(pitches % 12, list(scale_of(slot.chord, manner.mode)))] = FORBIDDEN
    if slot.tied:
        cost = np.where(belongs, 0.3, -0.4)
    cost += manner.pull * np.abs(pitches - slot.target)
    if slot.fixed is not None:
        cost[pitches % 12 != slot.fixed] += FORBIDDEN
    if slot.never is not None:
        cost[pitches % 12 == slot.never] += FORBIDDEN / 2
    return cost


def _leap(size: NDArray[np.int64], leaps: float) -> NDArray[np.float64]:
    cost = _LEAPS[np.minimum(size, 12)] * np.where(size > 2, leaps, 1)
    return np.where(size > 12, FORBIDDEN, cost)


def _edge(
    slots: list[Slot],
    number: int,
    pitches: NDArray[np.int64],
    foreign: list[NDArray[np.bool_]],
    manner: Manner,
) -> NDArray[np.float64]:
    """(before, after) costs of going from one pitch to the next."""
    old, new = slots[number - 1], slots[number]
    step = pitches[None, :] - pitches[:, None]
    if new.tied:
        return np.where(step == 0, 0.0, FORBIDDEN)
    cost = _leap(np.abs(step), manner.leaps)
    stepwise = (np.abs(step) <= 2) & (step != 0)
    cost[(foreign[number - 1][:, None] | foreign[number][None, :]) & ~stepwise] += FORBIDDEN
    if old.tied:  # a suspension steps down to a note of the chord
        resolved = (step < 0) & (step >= -2) & ~foreign[number][None, :]
        cost[foreign[number - 1][:, None] & ~resolved] += FORBIDDEN
    if old.chord != new.chord:
        cost += _resolve(old.chord, new.chord, pitches, step)
    for before, now in new.against:
        apart = (before - pitches) % 12
        same = (apart[:, None] == ((now - pitches) % 12)[None, :]) & np.isin(apart, (0, 7))[:, None]
        cost[same & (step != 0) & (before != now)] += FORBIDDEN / 4
    cost[_augmented(pitches, manner.mode)] += FORBIDDEN
    if new.copy is not None:
        steps = np.array([degree(int(pitch), manner.mode) for pitch in pitches])
        cost += manner.motif * (steps[None, :] - steps[:, None] != new.copy)
    return cost


def _resolve(
    old: Chord, new: Chord, pitches: NDArray[np.int64], step: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The leading tone of a dominant rises to the tonic it leads to; the seventh of a chord falls."""
    cost = np.zeros(step.shape)
    classes = pitches % 12
    leading = (old.tones[0] if old.quality in {"dim", "dim7"} else old.tones[0] + 4) % 12
    if old.dominant and new.root == (leading + 1) % 12:
        cost[(classes == leading)[:, None] & (step != 1)] += FORBIDDEN / 2
    if len(old.tones) == 4 and old.quality != "dim7":
        falls = (step == -1) | (step == -2) | (step == 0)
        cost[(classes == old.tones[3])[:, None] & ~falls] += FORBIDDEN / 3
    return cost


def _augmented(pitches: NDArray[np.int64], mode: str) -> NDArray[np.bool_]:
    """Steps between the flat sixth and the raised seventh of minor."""
    if mode == "major":
        return np.zeros((len(pitches), len(pitches)), bool)
    six, seven = pitches % 12 == 8, pitches % 12 == 11
    return (six[:, None] & seven[None, :]) | (seven[:, None] & six[None, :])
