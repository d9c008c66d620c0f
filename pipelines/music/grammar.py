"""Which words may come next: a piece while it is being written.

Whatever is chosen among the allowed words, the piece is whole in the end: every bar is full, there are exactly
as many as were wished for, and nobody plays but the instruments of the wish, within their ranges.
"""

from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from pipelines.music.instruments import DRUMS, INSTRUMENTS, NAMES
from pipelines.music.score import bar_ticks, bars_for
from pipelines.music.sheet import KIT, ROLES, Bar, Phrase, Sheet, Stroke
from pipelines.music.theory import CHORDS, chord, key_parts
from pipelines.music.wish import METRES, MOODS, MOST_PITCHED, Wish
from pipelines.music.words import (
    FAR,
    HIGHEST,
    LENGTHS,
    LETTERS,
    LONGEST,
    LOWEST,
    MOST_NOTES,
    NUMBER,
    STRUCK,
    TEMPOS,
    WORDS,
    body,
    head,
    tempo_class,
)

MARGIN = 6
"""Semitones beyond an instrument's range in C that it plays in other keys."""

_MIDDLE_TEMPOS = (54, 68, 84, 100, 117, 137, 160, 184)
"""The tempo of each class, where the model chose the class."""


@dataclass
class _Role:
    """What one role has played in this phrase."""

    length: int = 0
    pitches: tuple[int, ...] = ()
    """What `again` would play."""
    sounding: bool = False
    """Whether the last stroke was none of rest, so that `hold` may follow."""


@dataclass
class _Draft:
    """The bar that is being written."""

    chords: list[str] = field(default_factory=list)
    lines: dict[str, list[Stroke]] = field(default_factory=dict)
    role: str = ""
    filled: int = 0
    """Ticks of the role's line so far."""
    lengthened: bool = False
    """Whether the last word was a length."""
    open: bool = False
    """Whether another note may be struck together with the last one."""


class Writing:
    """A piece as far as it is written; `allowed` tells what may come next, `add` takes it."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.words: list[str] = ["begin"]
        self.said: dict[str, str] = {}
        self.instruments: list[str] = []
        self.arrangement: dict[str, str] = {}
        self.phrases: list[Phrase] = []
        self.left = 0
        """Bars of the piece that are not yet begun."""
        self._phrase: tuple[str, int] | None = None
        self._bars: list[Bar] = []
        self._phrase_left = 0
        self._bar: _Draft | None = None
        self._roles: dict[str, _Role] = {}

    @classmethod
    def after(cls, sheet: Sheet, wish: Wish) -> "Writing":
        """A piece that begins with the given phrases, and of which the wish's bars are still to be written."""
        writing = cls(wish)
        writing.said = {"mood": sheet.mood, "metre": sheet.metre, "mode": sheet.mode}
        writing.said["tempo"] = str(tempo_class(sheet.tempo))
        writing.instruments = sorted(set(sheet.arrangement.values()), key=NAMES.index)
        writing.arrangement, writing.phrases = dict(sheet.arrangement), list(sheet.phrases)
        writing.left = writing.total
        writing.words = [*head(sheet), "before", *chain(*body(sheet.phrases, len(sheet.bars) + writing.left))]
        return writing

    @property
    def done(self) -> bool:
        """Whether nothing may follow."""
        return self.words[-1] == "end"

    @property
    def tempo(self) -> float:
        """The wish's tempo, or that of the class that was chosen."""
        return self.wish.tempo or _MIDDLE_TEMPOS[int(self.said["tempo"])]

    @property
    def ticks(self) -> int:
        return bar_ticks(self.said["metre"])

    def sheet(self) -> Sheet:
        """The whole piece."""
        return Sheet(
            self.said["mood"],
            self.said["metre"],
            self.said["mode"],
            self.tempo,
            dict(self.arrangement),
            tuple(self.phrases),
        )

    # -- what may come next --

    def allowed(self) -> NDArray[np.bool_]:
        """One truth for each of WORDS."""
        mask = np.zeros(len(WORDS), bool)
        for word in self.choices():
            mask[NUMBER[word]] = True
        return mask

    def choices(self) -> list[str]:
        """The words that may come next."""
        kind, _, value = self.words[-1].partition(" ")
        if kind in _HEAD:
            return self._head(kind)
        if not self.arrangement or (self._bar is None and kind in {"role", "with", "play"}):
            return self._parts(kind, value)
        if kind == "left":
            return [f"phrase {letter}" for letter in LETTERS]
        if kind == "phrase":
            return [f"loud {number}" for number in range(5)]
        if kind == "loud":
            return [f"bar {number}" for number in range(1, min(LONGEST, self.left) + 1)]
        if self._bar is None:
            return [f"left {min(self.left, FAR)}"]
        return self._in_bar(self._bar, kind)

    def _head(self, kind: str) -> list[str]:
        wish = self.wish
        mode = key_parts(wish.key)[1] if wish.key else None
        tempo = tempo_class(wish.tempo) if wish.tempo else None
        following, said, usual = {
            "begin": ("mood", wish.mood, MOODS),
            "mood": ("metre", wish.metre, METRES),
            "metre": ("mode", mode, CHORDS),
            "mode": ("tempo", tempo, range(len(TEMPOS) + 1)),
            "tempo": ("with", None, ()),
        }[kind]
        if following == "with":
            return self._with()
        return [f"{following} {value}" for value in (usual if said is None else [said])]

    def _with(self) -> list[str]:
        """Instruments come in the order of NAMES."""
        if wished := sorted(self.wish.instruments, key=NAMES.index):
            rest = wished[len(self.instruments) :]
            return [f"with {rest[0]}"] if rest else ["play"]
        after = NAMES.index(self.instruments[-1]) + 1 if self.instruments else 0
        full = len([name for name in self.instruments if name != DRUMS]) >= MOST_PITCHED
        names = [name for name in NAMES[after:] if name == DRUMS or not full]
        if not self.instruments:
            names.remove(DRUMS)
        return [f"with {name}" for name in names] + (["play"] if self.instruments else [])

    def _parts(self, kind: str, value: str) -> list[str]:
        """Who plays what: the melody is given out first, and in the end each instrument has a role."""
        if kind == "with" and not self.arrangement and "play" not in self.words:
            return self._with()
        if kind == "role":
            return self._players(value)
        roles = [role for role in ROLES if ROLES.index(role) > max(map(ROLES.index, self.arrangement), default=-1)]
        idle = [name for name in self.instruments if name not in self.arrangement.values()]
        pitched = [name for name in idle if name != DRUMS]
        room = len([role for role in roles if role != DRUMS])
        options = []
        for number, role in enumerate(roles):
            if role == DRUMS:
                fits = idle == [DRUMS]
            else:
                fits = room - number >= len(pitched) and bool(self._players(role))
            if fits:
                options.append(f"role {role}")
        if not self.arrangement:
            options = [f"role {ROLES[0]}"]
        if not idle and self.arrangement:
            options.append(f"left {min(self.total, FAR)}")
        return options

    def _players(self, role: str) -> list[str]:
        """Who may play a role: one that has none, or, where roles abound, one that can play two."""
        if role == DRUMS:
            return [f"with {DRUMS}"]
        idle = [n for n in self.instruments if n not in self.arrangement.values() and n != DRUMS]
        room = len([each for each in ROLES if ROLES.index(each) > ROLES.index(role) and each != DRUMS])
        busy = [name for name in self.instruments if name in self.arrangement.values() and INSTRUMENTS[name].chords]
        return [f"with {name}" for name in idle + (busy if room >= len(idle) else [])]

    @property
    def total(self) -> int:
        """Bars that are to be written."""
        wish = self.wish
        if wish.bars:
            return wish.bars
        return bars_for(wish.seconds or 20, self.tempo, self.said["metre"])

    def _in_bar(self, bar: _Draft, kind: str) -> list[str]:
        if kind == "bar":
            return [f"chord {each}" for each in CHORDS[self.said["mode"]]]
        if kind == "role":
            return self._strokes(bar)
        options = []
        if kind == "chord" and len(bar.chords) == 1:
            options += [f"chord {each}" for each in CHORDS[self.said["mode"]] if str(each) != bar.chords[0]]
        if bar.role and bar.open:
            options += self._more(bar)
        if bar.role and bar.filled < self.ticks:
            return options + self._strokes(bar)
        order = list(self.arrangement)
        later = order[order.index(bar.role) + 1 :] if bar.role else order
        options += [f"role {role}" for role in later]
        if bar.lines:
            options += self._after_bar()
        return options

    def _after_bar(self) -> list[str]:
        if self._phrase_left > 1:
            return [f"bar {self._phrase_left - 1}"]
        left = self.left - len(self._bars) - 1
        return [f"left {min(left, FAR)}"] if left else ["end"]

    def _strokes(self, bar: _Draft) -> list[str]:
        room, role = self.ticks - bar.filled, self._roles.setdefault(bar.role, _Role())
        options = []
        if not bar.lengthened:
            options += [f"length {ticks}" for ticks in LENGTHS if ticks <= room and ticks != role.length]
        if 0 < role.length <= room:
            options.append("rest")
            if role.pitches:
                options.append("again")
            if role.sounding:
                options.append("hold")
            options += self._notes(bar.role, role)
        return options

    def _notes(self, name: str, role: _Role) -> list[str]:
        if name == DRUMS:
            return [f"hit {letters}" for pitches, letters in STRUCK.items() if pitches != role.pitches]
        low, high = self._range(name)
        single = role.pitches[0] if len(role.pitches) == 1 and name != "chords" else None
        return [f"note {pitch}" for pitch in range(low, high + 1) if pitch != single]

    def _more(self, bar: _Draft) -> list[str]:
        pitches = bar.lines[bar.role][-1].pitches
        if len(pitches) >= MOST_NOTES:
            return []
        return [f"and {pitch}" for pitch in range(pitches[-1] + 1, self._range(bar.role)[1] + 1)]

    def _range(self, role: str) -> tuple[int, int]:
        instrument = INSTRUMENTS[self.arrangement[role]]
        return max(LOWEST, instrument.low - 60), min(HIGHEST, instrument.high - 60)

    # -- taking words --

    def add(self, word: str) -> None:
        """Write one more word, which must be one of the choices."""
        kind, _, value = word.partition(" ")
        take = getattr(self, f"_add_{kind}")
        take(value)
        self.words.append(word)

    def _add_mood(self, value: str) -> None:
        self.said["mood"] = value

    def _add_metre(self, value: str) -> None:
        self.said["metre"] = value

    def _add_mode(self, value: str) -> None:
        self.said["mode"] = value

    def _add_tempo(self, value: str) -> None:
        self.said["tempo"] = value

    def _add_with(self, value: str) -> None:
        kind, _, role = self.words[-1].partition(" ")
        if kind == "role":
            self.arrangement[role] = value
        else:
            self.instruments.append(value)

    def _add_play(self, value: str) -> None:
        pass

    def _add_left(self, value: str) -> None:
        if not self.left:
            self.left = self.total
        self._end_phrase()

    def _add_phrase(self, value: str) -> None:
        self._phrase = (value, 0)
        self._roles = {}

    def _add_loud(self, value: str) -> None:
        assert self._phrase
        self._phrase = (self._phrase[0], int(value))

    def _add_bar(self, value: str) -> None:
        self._end_bar()
        self._phrase_left = int(value)
        self._bar = _Draft()

    def _add_chord(self, value: str) -> None:
        assert self._bar
        self._bar.chords.append(value)

    def _add_role(self, value: str) -> None:
        if self._bar:
            self._bar.role, self._bar.filled, self._bar.open, self._bar.lengthened = value, 0, False, False
            self._bar.lines[value] = []

    def _add_length(self, value: str) -> None:
        assert self._bar
        self._roles.setdefault(self._bar.role, _Role()).length = int(value)
        self._bar.lengthened, self._bar.open = True, False

    def _add_rest(self, value: str) -> None:
        self._stroke((), held=False)

    def _add_hold(self, value: str) -> None:
        self._stroke(self._role.pitches, held=True)

    def _add_again(self, value: str) -> None:
        self._stroke(self._role.pitches, held=False)

    def _add_hit(self, value: str) -> None:
        self._stroke(tuple(sorted(KIT[letter] for letter in value)), held=False)

    def _add_note(self, value: str) -> None:
        self._stroke((int(value),), held=False)
        assert self._bar
        self._bar.open = self._bar.role == "chords"

    def _add_and(self, value: str) -> None:
        assert self._bar
        line = self._bar.lines[self._bar.role]
        line[-1] = replace(line[-1], pitches=(*line[-1].pitches, int(value)))
        self._role.pitches = line[-1].pitches

    def _add_end(self, value: str) -> None:
        self._end_phrase()

    @property
    def _role(self) -> _Role:
        assert self._bar
        return self._roles[self._bar.role]

    def _stroke(self, pitches: tuple[int, ...], *, held: bool) -> None:
        assert self._bar
        role = self._role
        self._bar.lines[self._bar.role].append(Stroke(role.length, pitches, held))
        self._bar.filled += role.length
        self._bar.lengthened = self._bar.open = False
        role.pitches, role.sounding = pitches or role.pitches, bool(pitches)

    def _end_bar(self) -> None:
        if self._bar:
            lines = {role: tuple(line) for role, line in self._bar.lines.items()}
            self._bars.append(Bar(tuple(map(chord, self._bar.chords)), lines))
        self._bar = None

    def _end_phrase(self) -> None:
        self._end_bar()
        if self._phrase and self._bars:
            self.phrases.append(Phrase(*self._phrase, tuple(self._bars)))
            self.left -= len(self._bars)
        self._phrase, self._bars = None, []


_HEAD = ("begin", "mood", "metre", "mode", "tempo")
