"""The rules of harmony that hold while a piece is written: which strokes a role may play next.

What does not belong to the chord is a passing or neighbour note, entered and left by step and not on a strong
beat, or a suspension, which steps down. No voice goes with the melody in fifths or octaves. Melodies leap
no tritone or seventh; a leading tone rises where the tonic follows. After J. J. Fux, Gradus ad Parnassum, and
W. Piston, Harmony.
"""

from dataclasses import dataclass

from pipelines.music.instruments import DRUMS
from pipelines.music.sheet import Stroke, chord_at, strong_ticks
from pipelines.music.theory import Chord

TONIC = {"major": Chord(0, "maj"), "minor": Chord(0, "min")}
STEPS = (1, 2)
PERFECT = (0, 7)
"""Intervals within the octave that two voices must not have twice in turn."""


@dataclass(frozen=True)
class Voice:
    """Where a single line stands: its last note."""

    pitch: int
    chord: Chord
    """The chord that ruled when it ended."""
    falls: bool = False
    """Whether it was held into that chord, so that it must step down if it does not belong to it."""

    @property
    def foreign(self) -> bool:
        """Whether it has to go on by step."""
        return self.pitch % 12 not in self.chord.tones


@dataclass(frozen=True)
class Moment:
    """A place in a bar at which a role is to play a stroke."""

    role: str
    metre: str
    chords: tuple[Chord, ...]
    start: int
    end: int
    voice: Voice | None
    """The role's last note, where nothing lies between."""
    melody: tuple[int, int] | None
    """The melody's pitches before and now, where it moves at this moment, too."""
    closes: bool
    """Whether the piece ends with this stroke."""

    @property
    def chord(self) -> Chord:
        """The chord that rules when the stroke begins."""
        return chord_at(self.chords, self.metre, self.start)

    @property
    def last_chord(self) -> Chord:
        """The chord that rules when it ends."""
        return chord_at(self.chords, self.metre, self.end - 1)

    def may_rest(self) -> bool:
        return not (self.voice and self.voice.foreign)

    def may_hold(self, pitches: tuple[int, ...]) -> bool:
        """Whether what sounds may go on: notes of the chord, or a suspension of a single line."""
        return all(pitch % 12 in self.last_chord.tones for pitch in pitches) or (
            self.role in {"melody", "counter"} and not self.closes and self.start in strong_ticks(self.metre)
        )

    def may_play(self, pitch: int) -> bool:
        """Whether a stroke may have this pitch."""
        if self.role == "chords":
            return self._belongs(pitch) and not self._parallel(pitch)
        return (
            self._joins(pitch) and (self._belongs(pitch) or self._passes(pitch)) and not self._parallel(pitch)
        )

    def _belongs(self, pitch: int) -> bool:
        return pitch % 12 in self.chord.tones and pitch % 12 in self.last_chord.tones

    def _passes(self, pitch: int) -> bool:
        """Whether a foreign pitch is entered by step off the strong beats, and can be left again."""
        return (
            self.voice is not None
            and not self.closes
            and self.role != "inner"
            and self.start not in strong_ticks(self.metre)
            and pitch % 12 not in self.chord.tones
            and self.chord == self.last_chord
            and abs(pitch - self.voice.pitch) in STEPS
        )

    def _joins(self, pitch: int) -> bool:
        """Whether the line may go there from its last note."""
        if self.voice is None:
            return True
        step = pitch - self.voice.pitch
        if self.voice.foreign and (abs(step) not in STEPS or (self.voice.falls and step > 0)):
            return False
        if self.role in {"melody", "counter"} and (abs(step) in {6, 10, 11} or abs(step) > 12):
            return False
        leads = self.voice.chord.dominant and self.voice.chord.root in {7, 11} and self.chord.root == 0
        return not (leads and self.voice.pitch % 12 == 11 and step != 1)

    def _parallel(self, pitch: int) -> bool:
        if self.melody is None or self.voice is None or pitch == self.voice.pitch:
            return False
        before, now = self.melody
        apart = (before - self.voice.pitch) % 12
        return before != now and apart in PERFECT and apart == (now - pitch) % 12


def leads_on(chord: Chord, voices: dict[str, Voice]) -> bool:
    """Whether every voice that must step on finds a note of this chord a step away."""
    return all(
        any(
            (voice.pitch + step) % 12 in chord.tones for step in ((-1, -2) if voice.falls else (-2, -1, 1, 2))
        )
        for role, voice in voices.items()
        if role != DRUMS and voice.foreign
    )


def follow(stroke: Stroke, moment: Moment) -> Voice | None:
    """Where a line stands after a stroke; None after a rest."""
    if not stroke.pitches:
        return None
    falls = stroke.held or moment.chord != moment.last_chord
    return Voice(stroke.pitches[0], moment.last_chord, falls)


def moves(line: list[Stroke], before: Voice | None, tick: int) -> tuple[int, int] | None:
    """The pitches before and at a tick of a bar's line, where it goes to a new note just then."""
    at, last = 0, before.pitch if before else None
    for stroke in line:
        if at == tick:
            new = stroke.pitches and not stroke.held and last is not None
            return (last, stroke.pitches[0]) if new and last is not None else None
        last = stroke.pitches[0] if stroke.pitches else None
        at += stroke.length
    return None
