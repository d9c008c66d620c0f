"""A piece while it is written, word by word, in the words of `pipelines.music.words`."""

from dataclasses import dataclass, field, replace
from itertools import chain

from pipelines.music.counterpoint import Moment, Voice, follow, moves
from pipelines.music.instruments import NAMES
from pipelines.music.score import bar_ticks, bars_for
from pipelines.music.sheet import KIT, Bar, Phrase, Sheet, Stroke
from pipelines.music.theory import chord
from pipelines.music.wish import Wish
from pipelines.music.words import body, head, tempo_class

MIDDLE_TEMPOS = (54, 68, 84, 100, 117, 137, 160, 184)
"""The tempo of each class, where the model chose the class."""

USUAL_SECONDS = 20.0
"""How long a piece is where nobody says."""


@dataclass
class Player:
    """What one role has played in this phrase."""

    length: int = 0
    """Ticks of its next stroke; 0 before any was said."""
    pitches: tuple[int, ...] = ()
    """What `again` would play."""
    sounding: bool = False
    """Whether its last stroke was no rest, so that `hold` may follow."""


@dataclass
class Draft:
    """A bar while it is written."""

    chords: list[str] = field(default_factory=list)
    lines: dict[str, list[Stroke]] = field(default_factory=dict)
    role: str = ""
    """Whose line is written."""
    filled: int = 0
    """Ticks of the line so far."""
    lengthened: bool = False
    """Whether the last word was a length."""
    open: bool = False
    """Whether another note may be struck together with the last one."""
    before: dict[str, Voice] = field(default_factory=dict)
    """Where each line stood when the bar began."""


class Writing:
    """A piece as far as it is written. `add` takes any next word that `grammar.choices` allows."""

    def __init__(self, wish: Wish, *, harmony: bool = True) -> None:
        self.wish = wish
        self.harmony = harmony
        """Whether only what keeps the rules of harmony may be added, wherever there is such a choice."""
        self.words: list[str] = ["begin"]
        self.said: dict[str, str] = {}
        """What the head says of mood, metre, mode and tempo."""
        self.instruments: list[str] = []
        self.arrangement: dict[str, str] = {}
        self.phrases: list[Phrase] = []
        self.left = 0
        """Bars of the piece that are not yet in `phrases`; 0 while the head is written."""
        self.bars: list[Bar] = []
        """Whole bars of the phrase that is written."""
        self.phrase_left = 0
        """Bars of that phrase, the one that is written included."""
        self.bar: Draft | None = None
        self.players: dict[str, Player] = {}
        self.voices: dict[str, Voice] = {}
        """The last note of each line, unless a rest came after it."""
        self.played: set[str] = set()
        """The instruments that have played a note."""
        self._letter, self._loud = "", 0

    @classmethod
    def after(cls, sheet: Sheet, wish: Wish) -> "Writing":
        """A piece that begins with the given phrases; the wish's bars are still to be written."""
        writing = cls(wish)
        writing.said = {"mood": sheet.mood, "metre": sheet.metre, "mode": sheet.mode}
        writing.said["tempo"] = str(tempo_class(sheet.tempo))
        writing.instruments = sorted(set(sheet.arrangement.values()), key=NAMES.index)
        writing.arrangement, writing.phrases = dict(sheet.arrangement), list(sheet.phrases)
        writing.left, writing.played = writing.total, set(writing.instruments)
        phrases = body(sheet.phrases, len(sheet.bars) + writing.left)
        writing.words = [*head(sheet), "before", *chain(*phrases)]
        return writing

    @property
    def done(self) -> bool:
        """Whether nothing may follow."""
        return self.words[-1] == "end"

    @property
    def tempo(self) -> float:
        """The wish's tempo, or that of the class that was chosen."""
        return self.wish.tempo or MIDDLE_TEMPOS[int(self.said["tempo"])]

    @property
    def ticks(self) -> int:
        """Of a bar."""
        return bar_ticks(self.said["metre"])

    @property
    def total(self) -> int:
        """Bars that are to be written in all."""
        if self.wish.bars:
            return self.wish.bars
        return bars_for(self.wish.seconds or USUAL_SECONDS, self.tempo, self.said["metre"])

    @property
    def sheet(self) -> Sheet:
        """The piece as far as its phrases are whole."""
        said = self.said
        return Sheet(
            said["mood"], said["metre"], said["mode"], self.tempo, dict(self.arrangement), tuple(self.phrases)
        )

    def player(self, role: str) -> Player:
        """What a role has played in this phrase so far."""
        return self.players.setdefault(role, Player())

    def moment(self, bar: Draft) -> Moment:
        """The place of the next stroke of the line that is written."""
        role, end = bar.role, bar.filled + self.player(bar.role).length
        before = bar.before.get("melody")
        tune = bar.lines.get("melody", []) if role != "melody" else []
        return Moment(
            role=role,
            metre=self.said["metre"],
            chords=tuple(map(chord, bar.chords)),
            start=bar.filled,
            end=end,
            voice=self.voices.get(role),
            melody=moves(tune, before, bar.filled),
            closes=end == self.ticks and self.last_bar,
        )

    def must_play(self, role: str) -> bool:
        """Whether this is the last chance for the role's instrument to be heard at all."""
        return self.last_bar and self.arrangement[role] not in self.played

    @property
    def last_bar(self) -> bool:
        """Whether the bar that is written is the piece's last."""
        return self.phrase_left == 1 and self.left == len(self.bars) + 1

    # -- taking words --

    def add(self, word: str) -> None:
        """Write one more word."""
        kind, _, value = word.partition(" ")
        if kind in {"mood", "metre", "mode", "tempo"}:
            self.said[kind] = value
        elif self.bar and kind in _IN_BAR:
            self._in_bar(self.bar, kind, value)
        elif kind == "with":
            self._with(value)
        else:
            self._frame(kind, value)
        self.words.append(word)

    def _with(self, name: str) -> None:
        kind, _, role = self.words[-1].partition(" ")
        if kind == "role":
            self.arrangement[role] = name
        else:
            self.instruments.append(name)

    def _frame(self, kind: str, value: str) -> None:
        """Where phrases and bars begin and end."""
        if kind in {"left", "end"}:
            self._end_phrase()
            self.left = self.left or self.total
        elif kind == "phrase":
            self._letter, self.players = value, {}
        elif kind == "loud":
            self._loud = int(value)
        elif kind == "bar":
            self._end_bar()
            self.phrase_left, self.bar = int(value), Draft(before=dict(self.voices))

    def _in_bar(self, bar: Draft, kind: str, value: str) -> None:
        if kind == "chord":
            bar.chords.append(value)
        elif kind == "role":
            bar.role, bar.filled, bar.lengthened, bar.open = value, 0, False, False
            bar.lines[value] = []
        elif kind == "length":
            self.player(bar.role).length = int(value)
            bar.lengthened, bar.open = True, False
        elif kind == "and":
            self._strike_with(bar, int(value))
        else:
            self._strike(bar, kind, value)

    def _strike(self, bar: Draft, kind: str, value: str) -> None:
        player = self.player(bar.role)
        pitches = player.pitches
        if kind == "rest":
            pitches = ()
        elif kind == "note":
            pitches = (int(value),)
        elif kind == "hit":
            pitches = tuple(sorted(KIT[letter] for letter in value))
        moment = self.moment(bar)
        stroke = Stroke(player.length, pitches, held=kind == "hold")
        bar.lines[bar.role].append(stroke)
        bar.filled += player.length
        if pitches:
            self.played.add(self.arrangement[bar.role])
        self.voices.pop(bar.role, None)
        if voice := follow(stroke, moment):
            self.voices[bar.role] = voice
        bar.lengthened, bar.open = False, kind == "note" and bar.role == "chords"
        player.pitches, player.sounding = pitches or player.pitches, bool(pitches)

    def _strike_with(self, bar: Draft, pitch: int) -> None:
        line = bar.lines[bar.role]
        line[-1] = replace(line[-1], pitches=(*line[-1].pitches, pitch))
        self.player(bar.role).pitches = line[-1].pitches

    def _end_bar(self) -> None:
        if self.bar:
            lines = {role: tuple(line) for role, line in self.bar.lines.items()}
            self.bars.append(Bar(tuple(map(chord, self.bar.chords)), lines))
        self.bar = None

    def _end_phrase(self) -> None:
        self._end_bar()
        if self.bars:
            self.phrases.append(Phrase(self._letter, self._loud, tuple(self.bars)))
            self.left -= len(self.bars)
        self.bars = []


_IN_BAR = {"chord", "role", "length", "rest", "hold", "again", "note", "and", "hit"}
