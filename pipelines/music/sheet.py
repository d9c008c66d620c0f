"""A piece as an arranger plans it: phrases of bars, in each bar its chords and what every role plays.

Pitches are semitones above the tonic near middle C; `to_score` moves them to a key.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pipelines.music.instruments import DRUMS, INSTRUMENTS
from pipelines.music.score import Note, Part, Score, bar_ticks
from pipelines.music.theory import Chord, tonic_pitch

ROLES = ("melody", "bass", "counter", "inner", "chords", DRUMS)
"""What a part does, in the order in which bars and scores give them. Each is played by one instrument."""

KIT = {
    "k": 36,  # bass drum
    "x": 37,  # side stick
    "s": 38,  # snare
    "h": 42,  # closed hi-hat
    "t": 45,  # low tom
    "o": 46,  # open hi-hat
    "m": 48,  # high tom
    "c": 49,  # crash
    "r": 51,  # ride
    "b": 70,  # maracas
}
"""A letter for each drum: keys of General MIDI's map."""

HITS = ("k", "s", "h", "o", "r", "t", "m", "x", "b", "kh", "sh", "xh", "ko", "so", "kr", "sr", "xr", "kc",
        "sc", "kb", "xb", "sb", "kt")  # fmt: skip
"""Drums that are struck together."""

LOUDNESS = (44, 56, 68, 80, 92)
"""Velocity of each dynamic, from quiet to loud."""

_WEIGHT = {"melody": 12, "bass": 4, "counter": 2, "inner": -8, "chords": -8, DRUMS: -4}
"""How much louder than the dynamic a role is played."""


@dataclass(frozen=True)
class Stroke:
    """What one role does at one time: it plays some pitches, rests, or holds what it played."""

    length: int
    """Ticks."""
    pitches: tuple[int, ...] = ()
    """From low to high; none is a rest. For drums, keys of KIT."""
    held: bool = False
    """Whether it goes on with the stroke before it, whose pitches it has."""


Line = tuple[Stroke, ...]
"""One role in one bar; the lengths together are the bar's."""


@dataclass(frozen=True)
class Bar:
    """One bar."""

    chords: tuple[Chord, ...]
    """One, or two that share the bar."""
    lines: dict[str, Line]
    """By role; a role that is not there rests."""


@dataclass(frozen=True)
class Phrase:
    """Some bars that belong together."""

    letter: str
    """Phrases with the same letter have the same tune."""
    dynamic: int
    """Index of LOUDNESS."""
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Sheet:
    """A whole piece, or as much of it as there is yet."""

    mood: str
    metre: str
    mode: str
    tempo: float
    arrangement: dict[str, str]
    """The instrument of each role that there is, in the order of ROLES."""
    phrases: tuple[Phrase, ...] = field(default=())

    @property
    def bars(self) -> list[Bar]:
        return [bar for phrase in self.phrases for bar in phrase.bars]

    def to_score(self, key: str) -> Score:
        """The score in this key, whose mode the sheet has."""
        bar = bar_ticks(self.metre)
        tonics = {role: 0 if role == DRUMS else tonic_pitch(key) for role in self.arrangement}
        notes: dict[str, list[Note]] = {role: [] for role in self.arrangement}
        start = 0
        for phrase in self.phrases:
            for number, each in enumerate(phrase.bars):
                swell = 3 if number >= len(phrase.bars) // 2 else 0
                for role, line in each.lines.items():
                    loud = LOUDNESS[phrase.dynamic] + swell + _WEIGHT[role]
                    _lay(notes[role], line, tonics[role], _Place(start, bar, loud))
                start += bar
        parts = [
            Part(name, 0 if role == DRUMS else INSTRUMENTS[name].program, tuple(notes[role]), role == DRUMS)
            for role, name in self.arrangement.items()
        ]
        return Score(self.tempo, self.metre, key, tuple(parts), start // bar)


def halves(metre: str) -> tuple[int, int]:
    """The ticks that each of two chords of a bar has."""
    bar = bar_ticks(metre)
    first = {36: 24 if metre == "3/4" else 18}.get(bar, bar // 2)
    return first, bar - first


def spans(chords: tuple[Chord, ...], metre: str) -> Iterator[tuple[int, int, Chord]]:
    """Start and length in ticks of each chord of a bar."""
    if len(chords) == 1:
        yield 0, bar_ticks(metre), chords[0]
        return
    first, second = halves(metre)
    yield 0, first, chords[0]
    yield first, second, chords[1]


def chord_at(chords: tuple[Chord, ...], metre: str, tick: int) -> Chord:
    """The chord of a bar at a tick of it."""
    return chords[1] if len(chords) > 1 and tick >= halves(metre)[0] else chords[0]


def strong_ticks(metre: str) -> tuple[int, ...]:
    """Where strong beats of a bar begin."""
    return {"4/4": (0, 24), "6/8": (0, 18)}.get(metre, (0,))


@dataclass(frozen=True)
class _Place:
    """A bar of a score."""

    start: int
    ticks: int
    loud: int
    """Velocity of what is not accented."""

    def velocity(self, at: int) -> int:
        """Of a note that begins at this tick; a little louder at the beginning and the middle of the bar."""
        accent = 8 if at == self.start else 4 if (at - self.start) * 2 == self.ticks else 0
        return max(1, min(127, self.loud + accent))


def _lay(notes: list[Note], line: Line, tonic: int, place: _Place) -> None:
    """Append a bar's strokes as notes; what is held makes the notes before it longer."""
    at = place.start
    for stroke in line:
        if stroke.held:
            for index in range(len(notes) - len(stroke.pitches), len(notes)):
                notes[index] = replace(notes[index], length=at + stroke.length - notes[index].start)
        else:
            loud = place.velocity(at)
            notes += [Note(at, stroke.length, tonic + pitch, loud) for pitch in stroke.pitches]
        at += stroke.length
