"""The tune and its harmony, phrase by phrase."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise

import numpy as np

from pipelines.music.score import bar_ticks
from pipelines.music.sheet import Stroke, chord_at, strong_ticks
from pipelines.music.theory import Chord
from pipelines.training.songbook.harmony import progression
from pipelines.training.songbook.lines import Manner, Slot, degree, draw
from pipelines.training.songbook.plan import Character
from pipelines.training.songbook.rhythm import close, rhythm


@dataclass
class Theme:
    """What phrases of one letter share."""

    chords: list[tuple[Chord, ...]]
    cadence: str
    tune: list[list[Stroke]]
    """Strokes of each bar."""
    styles: dict[str, object] = field(default_factory=dict)
    """Figures of the accompaniment, by role."""


@dataclass(frozen=True)
class Frame:
    """What all phrases of a piece share."""

    metre: str
    mode: str
    character: Character
    low: int
    """Lowest pitch of the melody, in semitones above the tonic."""
    high: int
    dice: random.Random
    random: np.random.Generator

    @property
    def centre(self) -> float:
        return (self.low + self.high) / 2


def chords_of(
    frame: Frame, bars: int, cadence: str, last: Chord | None, *, final: bool
) -> list[tuple[Chord, ...]]:
    """The chords of each bar of a phrase: one, or two where harmony moves faster."""
    dice = frame.dice
    fast = dice.random() < (0.15 if frame.character.dynamic >= 3 else 0.05)
    counts = [2 if fast and dice.random() < 0.6 else 1 for _ in range(bars)]
    if bars >= 2 and dice.random() < 0.4:
        counts[-2] = 2
    counts[-1] = 1
    if bars == 1 and final:
        counts = [1]
    names = progression(frame.mode, sum(counts), cadence, colour=frame.character.colour, dice=dice, last=last)
    rows, at = [], 0
    for count in counts:
        row = tuple(names[at : at + count])
        rows.append(row[:1] if len(set(row)) == 1 else row)
        at += count
    return rows


def tune_of(
    frame: Frame,
    chords: list[tuple[Chord, ...]],
    *,
    lift: float,
    final: bool,
    before: Slot | None,
    kept: list[list[Stroke]],
) -> list[list[Stroke]]:
    """The melody over these chords; the bars that are `kept` stand already at its beginning."""
    dice, activity = frame.dice, frame.character.activity * frame.dice.uniform(0.85, 1.15)
    dotted = frame.character.dotted
    first, second = (rhythm(frame.metre, activity, dotted, dice) for _ in range(2))
    rows = [
        list(first if number % 2 == 0 or dice.random() < 0.3 else second) for number in range(len(chords))
    ]
    if len(rows) >= 4 and dice.random() < 0.3:
        rows[2] = rhythm(frame.metre, activity * 1.15, dotted, dice)
    rows[-1] = close(frame.metre, dice, final=final)
    shape = _contour(dice, len(chords) * bar_ticks(frame.metre), frame.centre + lift, frame.high - frame.low)
    phrase = _Phrase(frame, chords, rows, shape, final)
    bars = list(kept)
    while len(bars) < len(chords):
        bars += phrase.segment(bars, before)
    return bars


@dataclass(frozen=True)
class _Phrase:
    """A phrase whose rhythm is known, and whose pitches are found two bars at a time."""

    frame: Frame
    chords: list[tuple[Chord, ...]]
    rows: list[list[int]]
    """The rhythm of each bar."""
    shape: Callable[[int], float]
    final: bool

    def segment(self, bars: list[list[Stroke]], before: Slot | None) -> list[list[Stroke]]:
        """The next two bars after these, or the one that is left, by one search."""
        frame, at = self.frame, len(bars)
        rows = self.rows[at : at + 2]
        motif = bars[at - 2 : at] if at >= 2 else []
        before = _last(bars, self.chords) or before
        slots = [before] if before else []
        for number, row in enumerate(rows):
            copies = _intervals(motif, number, row, frame.mode)
            tied = bool(slots) and self._tied(at + number, at)
            slots += self._slots(at + number, copies, tied=tied, closes=number == len(rows) - 1)
        manner = Manner(frame.mode, frame.low, frame.high, frame.character.leaps)
        found = draw(slots, manner, frame.random)[1 if before else 0 :]
        line = iter(zip(found, slots[1 if before else 0 :], strict=True))
        return [
            [
                Stroke(length, (pitch,), slot.tied)
                for length, (pitch, slot) in zip(row, islice(line, len(row)), strict=True)
            ]
            for row in rows
        ]

    def _slots(self, number: int, copies: list[int | None], *, tied: bool, closes: bool) -> Iterator[Slot]:
        """The notes of a bar; the last of a bar that `closes` a segment belongs to the chord."""
        frame, row = self.frame, self.rows[number]
        whole = number == len(self.chords) - 1
        start = 0
        for index, length in enumerate(row):
            chord = chord_at(self.chords[number], frame.metre, start)
            closing = closes and index == len(row) - 1
            ends = self.final and whole
            yield Slot(
                chord,
                strong=start in strong_ticks(frame.metre) or closing,
                never=11 if closing and whole else None,
                tied=tied and index == 0 and len(row) > 1,
                target=self.shape(number * bar_ticks(frame.metre) + start),
                copy=copies[index],
                fixed=(0 if frame.dice.random() < 0.8 else chord.tones[1]) if ends else None,
            )
            start += length

    def _tied(self, number: int, first: int) -> bool:
        """Whether a bar begins with the note before it still held: a suspension, rather in soft moods."""
        chords = self.chords
        if number in {first, len(chords) - 1} or chords[number - 1][-1] == chords[number][0]:
            return False
        return self.frame.dice.random() < 0.12 * self.frame.character.leaps


def _intervals(motif: list[list[Stroke]], number: int, row: list[int], mode: str) -> list[int | None]:
    """The motif's intervals in steps of the scale, where it has the same rhythm here."""
    if number >= len(motif) or [stroke.length for stroke in motif[number]] != row:
        return [None] * len(row)
    steps = [degree(stroke.pitches[0], mode) for stroke in motif[number] if stroke.pitches]
    if len(steps) != len(row):
        return [None] * len(row)
    return [None, *(after - before for before, after in pairwise(steps))]


def _contour(dice: random.Random, ticks: int, centre: float, width: int):
    """A curve that the phrase follows: an arch, a rise, a fall or a wave."""
    size = min(width * 0.3, dice.uniform(3, 7))
    kind = dice.choice(("arch", "arch", "rise", "fall", "wave"))

    def at(tick: int) -> float:
        share = tick / ticks
        curve = {
            "arch": math.sin(math.pi * share) * 2 - 1,
            "rise": 2 * share - 1,
            "fall": 1 - 2 * share,
            "wave": math.sin(2 * math.pi * share),
        }[kind]
        return centre + size * curve

    return at


def _last(bars: list[list[Stroke]], chords: list[tuple[Chord, ...]]) -> Slot | None:
    """The last note of the bars that are there."""
    if not bars:
        return None
    return pinned(bars[-1][-1].pitches[0], chords[len(bars) - 1][-1])


def pinned(pitch: int, chord: Chord) -> Slot:
    """A note that is there already."""
    return Slot(chord, strong=False, pinned=pitch)
