"""Keys, scales and chords, as numbers of semitones above the tonic."""

from dataclasses import dataclass
from functools import cache

_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NAMES = {
    "major": ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"),
    "minor": ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"),
}
MODES = tuple(_NAMES)

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}

QUALITIES = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "dim": (0, 3, 6),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "m7b5": (0, 3, 6, 10),
    "dim7": (0, 3, 6, 9),
}
"""Semitones of each kind of chord above its root."""


@dataclass(frozen=True, order=True)
class Chord:
    """A chord by its root (0: the tonic) and its quality."""

    root: int
    quality: str

    @property
    def tones(self) -> tuple[int, ...]:
        """Pitch classes above the tonic, root first."""
        return _tones(self.root, self.quality)

    @property
    def dominant(self) -> bool:
        """Whether it leads: a major third that is a leading tone to the fourth above, or diminished."""
        return self.quality in {"7", "dim", "dim7"} or (self.root == 7 and self.quality == "maj")

    def __str__(self) -> str:
        return f"{self.root}:{self.quality}"


def chord(name: str) -> Chord:
    """The chord that `str` wrote."""
    root, _, quality = name.partition(":")
    return Chord(int(root), quality)


def key_parts(key: str) -> tuple[int, str]:
    """Pitch class of the tonic (0: C) and mode; raises ValueError for what is no key."""
    tonic, _, mode = key.partition(" ")
    if mode not in SCALES or not tonic or tonic[0] not in _LETTERS or tonic[1:] not in {"", "b", "#"}:
        raise ValueError(f"{key!r} is no key")
    shift = {"": 0, "b": -1, "#": 1}[tonic[1:]]
    return (_LETTERS[tonic[0]] + shift) % 12, mode


def key_name(tonic: int, mode: str) -> str:
    """The usual name of a key."""
    return f"{_NAMES[mode][tonic % 12]} {mode}"


def tonic_pitch(key: str) -> int:
    """The MIDI key of the tonic that is nearest to middle C: 55 to 66."""
    tonic, _ = key_parts(key)
    return 60 + (tonic + 5) % 12 - 5


_OWN = {
    "major": "0:maj 0:maj7 0:7 2:min 2:min7 2:7 4:min 4:min7 4:7 5:maj 5:maj7 5:min 5:min7 7:maj 7:7 9:min "
    "9:min7 9:7 10:maj 11:dim 11:m7b5",
    "minor": "0:min 0:7 1:maj 2:dim 2:m7b5 3:maj 3:maj7 5:min 5:min7 5:maj 7:maj 7:7 8:maj 8:maj7 10:maj "
    "10:7 11:dim7",
}
CHORDS = {mode: tuple(map(chord, names.split())) for mode, names in _OWN.items()}
"""The chords of each mode: its own, dominants of its degrees, and some that it borrows."""


@cache
def _tones(root: int, quality: str) -> tuple[int, ...]:
    return tuple((root + step) % 12 for step in QUALITIES[quality])
