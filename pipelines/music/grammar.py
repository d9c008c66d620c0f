"""Which words may come next in a piece that is being written.

Whatever is chosen among them, the piece is whole in the end: every bar is full, there are exactly as many as
were wished for, all instruments of the wish play and nobody else, each within its range, and (where `harmony`
is asked for) strokes keep the rules of `pipelines.music.counterpoint` wherever one can.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.music.counterpoint import TONIC, leads_on
from pipelines.music.instruments import DRUMS, INSTRUMENTS, NAMES
from pipelines.music.sheet import LOUDNESS, ROLES, chord_at
from pipelines.music.theory import CHORDS, MODES, Chord, chord, key_parts
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
    tempo_class,
)
from pipelines.music.writing import Draft, Player, Writing


def allowed(writing: Writing) -> NDArray[np.bool_]:
    """One truth for each of WORDS."""
    mask = np.zeros(len(WORDS), bool)
    mask[[NUMBER[word] for word in choices(writing)]] = True
    return mask


def choices(writing: Writing) -> list[str]:
    """The words that may come next."""
    kind, _, value = writing.words[-1].partition(" ")
    if writing.bar:
        return _in_bar(writing, writing.bar, kind)
    if not writing.left:
        return _head(writing, kind, value)
    return {
        "left": [f"phrase {letter}" for letter in LETTERS],
        "phrase": [f"loud {number}" for number in range(len(LOUDNESS))],
        "loud": [f"bar {number}" for number in range(1, min(LONGEST, writing.left) + 1)],
    }.get(kind, [_left(writing.left)])


def _left(bars: int) -> str:
    return f"left {min(bars, FAR)}"


# -- the head --------------------------------------------------------------------------------------------


def _head(writing: Writing, kind: str, value: str) -> list[str]:
    if kind in {"begin", "mood", "metre", "mode"}:
        return _said(writing.wish, kind)
    if kind == "role":
        return _players(writing, value)
    if "play" not in writing.words:
        return _instruments(writing)
    return _roles(writing)


def _said(wish: Wish, kind: str) -> list[str]:
    """What the wish says of mood, metre, mode and tempo, or all that it may be."""
    following, said, usual = {
        "begin": ("mood", wish.mood, MOODS),
        "mood": ("metre", wish.metre, METRES),
        "metre": ("mode", key_parts(wish.key)[1] if wish.key else None, MODES),
        "mode": ("tempo", tempo_class(wish.tempo) if wish.tempo else None, range(len(TEMPOS) + 1)),
    }[kind]
    return [f"{following} {each}" for each in (usual if said is None else [said])]


def _instruments(writing: Writing) -> list[str]:
    """Those of the wish, or some of all, in the order of NAMES."""
    had = writing.instruments
    if wished := sorted(writing.wish.instruments, key=NAMES.index):
        return [f"with {wished[len(had)]}"] if len(had) < len(wished) else ["play"]
    if not had:
        return [f"with {name}" for name in INSTRUMENTS]
    full = len([name for name in had if name != DRUMS]) >= MOST_PITCHED
    names = NAMES[NAMES.index(had[-1]) + 1 :]
    return [f"with {name}" for name in names if name == DRUMS or not full] + ["play"]


def _roles(writing: Writing) -> list[str]:
    """The melody is given out first, then any later role that leaves one for each who has none."""
    if not writing.arrangement:
        return [f"role {ROLES[0]}"]
    idle = _idle(writing)
    pitched = [name for name in idle if name != DRUMS]
    options = []
    for role in ROLES[max(map(ROLES.index, writing.arrangement)) + 1 :]:
        if role == DRUMS:
            fits = idle == [DRUMS]
        else:
            fits = _room(role) + 1 >= len(pitched) and bool(_players(writing, role))
        if fits:
            options.append(f"role {role}")
    return options if idle else [*options, _left(writing.total)]


def _players(writing: Writing, role: str) -> list[str]:
    """Who may play a role: one that has none, or, where roles abound, one that can play two."""
    if role == DRUMS:
        return [f"with {DRUMS}"]
    idle = [name for name in _idle(writing) if name != DRUMS]
    busy = [name for name in writing.instruments if name not in {*idle, DRUMS} and INSTRUMENTS[name].chords]
    return [f"with {name}" for name in idle + (busy if _room(role) >= len(idle) else [])]


def _idle(writing: Writing) -> list[str]:
    return [name for name in writing.instruments if name not in writing.arrangement.values()]


def _room(role: str) -> int:
    """Roles with pitches that come after this one."""
    return ROLES.index(DRUMS) - ROLES.index(role) - 1


# -- bars ------------------------------------------------------------------------------------------------


def _in_bar(writing: Writing, bar: Draft, kind: str) -> list[str]:
    if kind == "bar":
        return [f"chord {each}" for each in _chords(writing)]
    if kind == "role":
        return _strokes(writing, bar)
    options = []
    if kind == "chord" and len(bar.chords) == 1 and not writing.last_bar:
        options += [f"chord {each}" for each in CHORDS[writing.said["mode"]] if str(each) != bar.chords[0]]
    if bar.open:
        options += _together(writing, bar)
    if bar.role and bar.filled < writing.ticks:
        return options + _strokes(writing, bar)
    order = list(writing.arrangement)
    later = order[order.index(bar.role) + 1 :] if bar.role else order
    if needed := next((number for number, role in enumerate(later, 1) if writing.must_play(role)), 0):
        return options + [f"role {role}" for role in later[:needed]]
    return options + [f"role {role}" for role in later] + (_after(writing) if bar.lines else [])


def _chords(writing: Writing) -> Sequence[Chord]:
    """The chords that a bar may begin with: those to which suspended and passing notes can go on, at the end
    of the piece the tonic."""
    mode = writing.said["mode"]
    if not writing.harmony:
        return CHORDS[mode]
    leading = [each for each in CHORDS[mode] if leads_on(each, writing.voices)] or CHORDS[mode]
    return [TONIC[mode]] if writing.last_bar else leading


def _after(writing: Writing) -> list[str]:
    """What follows a whole bar."""
    if writing.phrase_left > 1:
        return [f"bar {writing.phrase_left - 1}"]
    left = writing.left - len(writing.bars) - 1
    return [_left(left)] if left else ["end"]


def _strokes(writing: Writing, bar: Draft) -> list[str]:
    """What a role may do next. Where no stroke keeps the rules of harmony, one that breaks them may come."""
    room, player = writing.ticks - bar.filled, writing.player(bar.role)
    lengths = []
    if not bar.lengthened:
        lengths = [f"length {ticks}" for ticks in LENGTHS if ticks <= room and ticks != player.length]
    if not 0 < player.length <= room:
        return lengths
    if writing.harmony and bar.role != DRUMS:
        kept = _kept(writing, bar, player)
        if kept or lengths:
            return lengths + kept
    options = [
        *_rest(writing, bar),
        *(["again"] if player.pitches else []),
        *(["hold"] if player.sounding else []),
    ]
    return lengths + options + _notes(writing, bar.role, player)


def _rest(writing: Writing, bar: Draft) -> list[str]:
    return [] if writing.must_play(bar.role) else ["rest"]


def _kept(writing: Writing, bar: Draft, player: Player) -> list[str]:
    """The strokes of this length that keep the rules of harmony."""
    moment = writing.moment(bar)
    options = _rest(writing, bar) if moment.may_rest() else []
    if player.pitches and all(map(moment.may_play, player.pitches)):
        options.append("again")
    if player.sounding and moment.may_hold(player.pitches):
        options.append("hold")
    return options + [
        word for word in _notes(writing, bar.role, player) if moment.may_play(int(word.removeprefix("note ")))
    ]


def _notes(writing: Writing, role: str, player: Player) -> list[str]:
    """New pitches; the same as before is `again`."""
    if role == DRUMS:
        return [f"hit {letters}" for drums, letters in STRUCK.items() if drums != player.pitches]
    low, high = _range(writing, role)
    same = player.pitches if role != "chords" else ()
    return [f"note {pitch}" for pitch in range(low, high + 1) if (pitch,) != same]


def _together(writing: Writing, bar: Draft) -> list[str]:
    """Higher notes that may be struck together with the last one."""
    stroke = bar.lines[bar.role][-1]
    if len(stroke.pitches) >= MOST_NOTES:
        return []
    pitches = range(stroke.pitches[-1] + 1, _range(writing, bar.role)[1] + 1)
    if writing.harmony:
        start = chord_at(tuple(map(chord, bar.chords)), writing.said["metre"], bar.filled - stroke.length)
        end = chord_at(tuple(map(chord, bar.chords)), writing.said["metre"], bar.filled - 1)
        return [f"and {each}" for each in pitches if each % 12 in start.tones and each % 12 in end.tones]
    return [f"and {pitch}" for pitch in pitches]


def _range(writing: Writing, role: str) -> tuple[int, int]:
    instrument = INSTRUMENTS[writing.arrangement[role]]
    return max(LOWEST, instrument.low - 60), min(HIGHEST, instrument.high - 60)
