"""Progressions of chords: a walk through the functions tonic, subdominant and dominant to a cadence.

After the table of usual root progressions in W. Piston, Harmony, chapter 3, with secondary dominants and
borrowed chords where the mood asks for colour.
"""

import random

from pipelines.music.theory import CHORDS, Chord, chord

_USUAL = {
    "major": {
        "0:maj": {"5:maj": 4, "7:maj": 3, "9:min": 4, "2:min": 3, "4:min": 1.5, "11:dim": 0.3},
        "2:min": {"7:maj": 6, "7:7": 3, "11:dim": 0.7, "5:maj": 0.5},
        "4:min": {"9:min": 4, "5:maj": 3, "2:min": 0.7},
        "5:maj": {"7:maj": 4, "0:maj": 3, "2:min": 2, "7:7": 2, "11:dim": 0.4},
        "7:maj": {"0:maj": 5, "9:min": 2.5, "5:maj": 0.5, "4:min": 0.3},
        "7:7": {"0:maj": 6, "9:min": 1.5},
        "9:min": {"5:maj": 4, "2:min": 3.5, "7:maj": 1.5, "4:min": 0.6, "0:maj": 0.5},
        "11:dim": {"0:maj": 4, "4:min": 0.5},
    },
    "minor": {
        "0:min": {"5:min": 4, "8:maj": 3.5, "7:maj": 3, "10:maj": 2, "3:maj": 1.5, "2:dim": 1.5},
        "2:dim": {"7:maj": 5, "7:7": 3},
        "3:maj": {"8:maj": 4, "5:min": 2, "10:maj": 1, "2:dim": 0.5},
        "5:min": {"7:maj": 5, "0:min": 2.5, "7:7": 2, "10:maj": 1, "2:dim": 0.7},
        "7:maj": {"0:min": 5, "8:maj": 2},
        "7:7": {"0:min": 6, "8:maj": 1.5},
        "8:maj": {"5:min": 3, "10:maj": 2, "7:maj": 2, "3:maj": 1.5, "2:dim": 1.5, "0:min": 0.5},
        "10:maj": {"3:maj": 4, "8:maj": 2, "0:min": 1.5},
        "11:dim7": {"0:min": 5},
    },
}

_COLOURS = {
    "major": {
        "0:maj": {"0:7": 0.4},
        "0:7": {"5:maj": 1},
        "2:7": {"7:maj": 3, "7:7": 1},
        "2:min": {"2:7": 0.3, "4:7": 0.2},
        "4:7": {"9:min": 1},
        "4:min": {"9:7": 0.4},
        "9:7": {"2:min": 1},
        "9:min": {"2:7": 1, "10:maj": 0.2},
        "5:maj": {"5:min": 0.7, "2:7": 0.5, "4:7": 0.5, "10:maj": 0.3},
        "5:min": {"0:maj": 2, "7:maj": 1},
        "10:maj": {"5:maj": 2, "0:maj": 1},
    },
    "minor": {
        "0:min": {"0:7": 0.4, "5:maj": 0.4, "1:maj": 0.3},
        "0:7": {"5:min": 1},
        "1:maj": {"7:maj": 2, "7:7": 1},
        "5:maj": {"7:maj": 1, "0:min": 1},
        "5:min": {"1:maj": 0.4, "11:dim7": 0.7},
        "8:maj": {"1:maj": 0.4, "11:dim7": 0.4},
        "10:maj": {"10:7": 0.6},
        "10:7": {"3:maj": 1},
    },
}

_LOOPS = {
    "major": (
        "0:maj 7:maj 9:min 5:maj", "0:maj 9:min 5:maj 7:maj", "9:min 5:maj 0:maj 7:maj",
        "0:maj 5:maj 0:maj 7:maj", "0:maj 2:min 5:maj 7:maj", "0:maj 4:min 5:maj 7:maj",
        "0:maj 7:maj 9:min 4:min 5:maj 0:maj 5:maj 7:maj", "0:maj 5:maj 2:min 7:maj",
    ),
    "minor": (
        "0:min 10:maj 8:maj 7:maj", "0:min 8:maj 3:maj 10:maj", "0:min 5:min 8:maj 7:maj",
        "0:min 8:maj 5:min 7:maj", "0:min 5:min 10:maj 3:maj", "0:min 3:maj 8:maj 7:maj",
        "0:min 5:min 0:min 7:maj", "0:min 10:maj 3:maj 8:maj 5:min 0:min 2:dim 7:maj",
    ),
}  # fmt: skip
"""Progressions that many songs share."""

_CADENCES = {
    "major": {
        "closed": ("5:maj 7:maj 0:maj", "2:min 7:7 0:maj", "7:7 0:maj", "5:maj 7:7 0:maj",
                   "2:min 7:maj 0:maj"),
        "open": ("0:maj 7:maj", "5:maj 7:maj", "2:min 7:maj", "9:min 7:maj"),
        "mild": ("5:maj 0:maj", "7:maj 9:min"),
    },
    "minor": {
        "closed": ("5:min 7:maj 0:min", "2:dim 7:7 0:min", "7:7 0:min", "5:min 7:7 0:min",
                   "2:dim 7:maj 0:min"),
        "open": ("0:min 7:maj", "5:min 7:maj", "8:maj 7:maj", "2:dim 7:maj"),
        "mild": ("5:min 0:min", "7:maj 8:maj"),
    },
}  # fmt: skip

_SEVENTHS = {"maj": "maj7", "min": "min7", "dim": "m7b5"}


def progression(
    mode: str, slots: int, cadence: str, *, colour: float, dice: random.Random, last: Chord | None = None
) -> list[Chord]:
    """So many chords, ending in the cadence (`closed`, `open`, `mild`); `last` came before them."""
    end = dice.choice([row for row in _CADENCES[mode][cadence] if len(row.split()) <= slots] or [""]).split()
    if not end:  # room for one chord: where the cadence arrives
        end = _CADENCES[mode][cadence][0].split()[-slots:]
    room = slots - len(end)
    if room >= 3 and dice.random() < 0.4:
        loop = dice.choice(_LOOPS[mode]).split()
        names = [loop[number % len(loop)] for number in range(room)]
        if len(set(names[-1:] + end[:1])) == 1:
            names[-1] = loop[room % len(loop) - 2]
    else:
        names = _walk(mode, room, end[0], colour=colour, dice=dice, last=str(last) if last else None)
    return [_tint(chord(name), mode, colour, dice) for name in names + end]


def _walk(
    mode: str, length: int, target: str, *, colour: float, dice: random.Random, last: str | None
) -> list[str]:
    """Chords that lead from the tonic (or on from `last`) to `target`, drawn with the tables' weights."""
    table = _table(mode, colour)
    home = "0:maj" if mode == "major" else "0:min"
    ways = [{name: float(name == target) for name in table}]  # how much leads to the target in 0, 1, … steps
    for _ in range(length):
        before = ways[-1]
        ways.append({
            name: sum(weight * before.get(after, 0) for after, weight in row.items())
            for name, row in table.items()
        })  # fmt: skip
    names: list[str] = []
    for left in range(length, 0, -1):
        if not names:
            starts = {home: 3.0} if last in {None, home} or last not in table else table[last]
            row = {name: weight for name, weight in starts.items() if ways[left].get(name)} or {home: 1.0}
        else:
            row = table[names[-1]]
        weights = {name: weight * ways[left].get(name, 0) for name, weight in row.items()}
        if not any(weights.values()):
            weights = dict.fromkeys(row, 1.0)
        names.append(dice.choices(list(weights), list(weights.values()))[0])
    return names


def _table(mode: str, colour: float) -> dict[str, dict[str, float]]:
    table = {name: dict(row) for name, row in _USUAL[mode].items()}
    for name, row in _COLOURS[mode].items():
        for after, weight in row.items():
            table.setdefault(name, {})[after] = weight * (colour * 3 if name in _USUAL[mode] else 1)
    return table


def _tint(plain: Chord, mode: str, colour: float, dice: random.Random) -> Chord:
    """A seventh, where the mood likes them and it belongs to the mode; the tonic's more seldom."""
    rich = Chord(plain.root, _SEVENTHS.get(plain.quality, ""))
    often = colour * (0.2 if plain.root == 0 else 0.7)
    return rich if rich in CHORDS[mode] and dice.random() < often else plain
