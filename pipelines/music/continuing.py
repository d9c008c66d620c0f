"""Going on from somebody else's score: read as the songbook's instruments, played as it was written."""

from dataclasses import replace

from pipelines.music.hearing import key_of
from pipelines.music.instruments import BY_PROGRAM, DRUMS, INSTRUMENTS
from pipelines.music.prompts import spelled
from pipelines.music.score import Note, Part, Score

_NEAREST = {
    "piano": (1, 2, 3, 6, 7),
    "electric piano": (5, 80, 81, 82, 83, 84, 85),
    "music box": (8, 9, 14, 98, 99, 100),
    "marimba": (13, 45, 108, 112, 113, 114, 115),
    "organ": (16, 17, 18, 20, 21, 22, 23),
    "guitar": (15, 25, 26, 27, 28, 29, 30, 31, 104, 105, 106),
    "acoustic bass": (43, 47),
    "electric bass": (34, 35, 36, 37, 38, 39, 86, 87),
    "violin": (40, 41, 110),
    "harp": (107,),
    "strings": (44, 49, 50, 51, 55, *range(88, 98), 101, 102, 103),
    "choir": (53, 54),
    "trumpet": (59, 61, 62, 63),
    "saxophone": (64, 66, 67),
    "oboe": (69, 109, 111),
    "bassoon": (57, 58, 60),
    "flute": (72, 74, 75, 76, 77, 78, 79),
}
"""Programs that the songbook does not write for, by the instrument that is nearest in sound and range."""

_NEAR = BY_PROGRAM | {program: name for name, programs in _NEAREST.items() for program in programs}


def read_as(part: Part) -> str:
    """The instrument of the songbook that is nearest to the part's."""
    return DRUMS if part.drums else _NEAR.get(part.program, "piano")


def key_heard(begin: Score) -> str:
    """The key that the file says, but for C major, which files say that know nothing of keys; else the one
    that its notes are in."""
    if begin.key and begin.key != "C major":
        tonic, mode = begin.key.split()
        return spelled(tonic, mode)
    return key_of(begin)


def readable(begin: Score) -> Score:
    """The score with each part as the songbook's nearest instrument; parts that come to the same are one."""
    notes: dict[str, list[Note]] = {}
    for part in begin.parts:
        notes.setdefault(read_as(part), []).extend(part.notes)
    parts = tuple(
        Part(name, 0 if name == DRUMS else INSTRUMENTS[name].program, tuple(sorted(played)), name == DRUMS)
        for name, played in notes.items()
        if played
    )
    return replace(begin, parts=parts)


def joined(begin: Score, written: Score) -> Score:
    """What was begun, note for note, and the new bars of `written` after it, which instruments that have
    played before go on with.
    """
    players: dict[str, int] = {}
    for place, part in enumerate(begin.parts):
        players.setdefault(read_as(part), place)
    parts = list(begin.parts)
    for part in written.parts:
        new = tuple(note for note in part.notes if note.start >= begin.ticks)
        player = players.get(read_as(part))
        if player is None:
            parts.append(replace(part, notes=new))
        else:
            parts[player] = replace(parts[player], notes=parts[player].notes + new)
    return replace(begin, parts=tuple(parts), bars=written.bars, key=written.key)
