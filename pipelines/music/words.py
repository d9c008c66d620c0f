"""The words that a network writes pieces in, and a sheet as such words.

A piece is a head and phrases. The head says mood, metre, mode, tempo and instruments, then who plays which
role. A phrase says how many bars are left of the piece, its letter and its loudness; a bar how many are left
of the phrase, its chords, then what each role plays, from the melody to the drums. Pitches are relative to
the tonic, so that every key is learned at once; a note's length is said where it changes. After the REMI of
Huang and Yang (Pop Music Transformer, 2020): bars and chords stand among the notes.
"""

from collections.abc import Iterable, Iterator

from pipelines.music.instruments import DRUMS, NAMES
from pipelines.music.sheet import HITS, KIT, LOUDNESS, ROLES, Bar, Line, Phrase, Sheet, Stroke
from pipelines.music.theory import CHORDS, MODES
from pipelines.music.wish import METRES, MOODS

TEMPOS = (60, 76, 92, 108, 126, 148, 176)
"""Where one class of tempo ends and the next begins, in quarter notes a minute."""

LENGTHS = (3, 6, 9, 12, 18, 24, 36, 48)
"""Ticks of a stroke; others are strokes that are held."""
GRID = 3
"""All strokes begin at a multiple of these ticks."""

LOWEST, HIGHEST = -36, 36
"""Pitches above the tonic that there are words for."""

LETTERS = "ABCD"
LONGEST = 9
"""Bars of a phrase, at most."""
FAR = 64
"""So many bars left, or more."""

MOST_NOTES = 5
"""Notes that are struck together, at most."""

_CHORDS = sorted(set(CHORDS["major"]) | set(CHORDS["minor"]))

WORDS = (
    "nothing", "begin", "play", "before", "end", "rest", "hold", "again",
    *(f"mood {name}" for name in MOODS),
    *(f"metre {name}" for name in METRES),
    *(f"mode {name}" for name in MODES),
    *(f"tempo {number}" for number in range(len(TEMPOS) + 1)),
    *(f"with {name}" for name in NAMES),
    *(f"role {name}" for name in ROLES),
    *(f"left {number}" for number in range(1, FAR + 1)),
    *(f"phrase {letter}" for letter in LETTERS),
    *(f"loud {number}" for number in range(len(LOUDNESS))),
    *(f"bar {number}" for number in range(1, LONGEST + 1)),
    *(f"chord {chord}" for chord in _CHORDS),
    *(f"length {ticks}" for ticks in LENGTHS),
    *(f"note {pitch}" for pitch in range(LOWEST, HIGHEST + 1)),
    *(f"and {pitch}" for pitch in range(LOWEST, HIGHEST + 1)),
    *(f"hit {letters}" for letters in HITS),
)  # fmt: skip
"""The vocabulary; a word's number is its place. `nothing` fills rows up."""

NUMBER = {word: number for number, word in enumerate(WORDS)}

STRUCK = {tuple(sorted(KIT[letter] for letter in letters)): letters for letters in HITS}
"""The letters of drums that are struck together."""


def tempo_class(tempo: float) -> int:
    """Which class a tempo belongs to, from 0."""
    return sum(tempo >= bound for bound in TEMPOS)


def head(sheet: Sheet) -> list[str]:
    """The words of everything but the phrases."""
    instruments = sorted(set(sheet.arrangement.values()), key=NAMES.index)
    return [
        "begin",
        f"mood {sheet.mood}",
        f"metre {sheet.metre}",
        f"mode {sheet.mode}",
        f"tempo {tempo_class(sheet.tempo)}",
        *(f"with {name}" for name in instruments),
        "play",
        *(word for role, name in sheet.arrangement.items() for word in (f"role {role}", f"with {name}")),
    ]


def body(phrases: Iterable[Phrase], left: int) -> Iterator[list[str]]:
    """The words of each phrase; with the first of them `left` bars of the piece are left."""
    for phrase in phrases:
        yield phrase_words(phrase, left)
        left -= len(phrase.bars)


def phrase_words(phrase: Phrase, left: int) -> list[str]:
    """The words of one phrase."""
    words = [f"left {min(left, FAR)}", f"phrase {phrase.letter}", f"loud {phrase.dynamic}"]
    speakers = {role: _Speaker(role) for role in ROLES}
    for number, bar in enumerate(phrase.bars):
        words += _bar_words(bar, len(phrase.bars) - number, speakers)
    return words


def _bar_words(bar: Bar, left: int, speakers: "dict[str, _Speaker]") -> list[str]:
    words = [f"bar {left}", *(f"chord {chord}" for chord in bar.chords)]
    for role in ROLES:
        if bar.lines.get(role):
            words += [f"role {role}", *speakers[role].say(bar.lines[role])]
    return words


class _Speaker:
    """Says one role's strokes through a phrase, in as few words as may be."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.length = 0
        self.pitches: tuple[int, ...] = ()

    def say(self, line: Line) -> Iterator[str]:
        for stroke in line:
            if stroke.length != self.length:
                self.length = stroke.length
                yield f"length {stroke.length}"
            yield from self._stroke(stroke)

    def _stroke(self, stroke: Stroke) -> Iterator[str]:
        if not stroke.pitches:
            yield "rest"
        elif stroke.held:
            yield "hold"
        elif stroke.pitches == self.pitches:
            yield "again"
        else:
            self.pitches = stroke.pitches
            if self.role == DRUMS:
                yield f"hit {STRUCK[stroke.pitches]}"
            else:
                yield f"note {stroke.pitches[0]}"
                yield from (f"and {pitch}" for pitch in stroke.pitches[1:])
