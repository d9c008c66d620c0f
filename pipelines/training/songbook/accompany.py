"""Bass, chords and drums: what goes with a melody."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.music.sheet import KIT, Stroke
from pipelines.music.theory import Chord
from pipelines.training.songbook.lines import scale_of

Figure = list[tuple[int, int]]
"""(length, which) of each stroke; what `which` means is the pattern's affair; −1 is a rest."""

ALL, UPPER = 90, 91
"""In a figure of chords: all notes at once, or all but the lowest. Less: one note, counted from below."""


@dataclass(frozen=True)
class Around:
    """What a bass figure has to know."""

    root: int
    """The pitch that it stands on."""
    chord: Chord
    mode: str
    next: int
    """The pitch that it goes to."""
    low: int
    high: int


# -- bass ------------------------------------------------------------------------------------------------


def held(around: Around, length: int, beat: int) -> list[Stroke]:
    return [Stroke(length, (around.root,))]


def short(around: Around, length: int, beat: int) -> list[Stroke]:
    if length <= beat:
        return held(around, length, beat)
    return [Stroke(beat, (around.root,)), Stroke(length - beat)]


def pulse(around: Around, length: int, beat: int) -> list[Stroke]:
    return (
        [Stroke(beat, (around.root,))] * (length // beat)
        if length % beat == 0
        else held(around, length, beat)
    )


def eighths(around: Around, length: int, beat: int) -> list[Stroke]:
    return [Stroke(6, (around.root,))] * (length // 6)


def fifths(around: Around, length: int, beat: int) -> list[Stroke]:
    """Root, then the fifth in the second half."""
    half = {48: 24, 36: 18 if beat == 18 else 24}.get(length, length // 2)
    fifth = _other(around, 2)
    return [Stroke(half, (around.root,)), Stroke(length - half, (fifth,))]


def octaves(around: Around, length: int, beat: int) -> list[Stroke]:
    upper = around.root + 12 if around.root + 12 <= around.high else around.root
    return [Stroke(6, (around.root if number % 2 == 0 else upper,)) for number in range(length // 6)]


def lilt(around: Around, length: int, beat: int) -> list[Stroke]:
    """Long and short: 18 + 6, or 12 + 6 in compound time."""
    long = 12 if beat == 18 else 18
    if length % (long + 6):
        return held(around, length, beat)
    return [Stroke(long, (around.root,)), Stroke(6, (around.root,))] * (length // (long + 6))


def walk(around: Around, length: int, beat: int) -> list[Stroke]:
    """A note a beat: the chord's, the last one a step beside where it goes."""
    beat = 12 if beat == 12 else 6
    count = length // beat
    if count < 2:
        return held(around, length, beat)
    tones = [around.root, _other(around, 1), _other(around, 2), around.root]
    notes = [tones[number % 4] for number in range(count)]
    scale = scale_of(around.chord, around.mode)
    beside = [around.next + step for step in (-1, 1, -2, 2)]
    # entered by step, too, or a note of the chord: the approach is a passing note, not a leap into the blue
    fitting = [
        pitch
        for pitch in beside
        if around.low <= pitch <= around.high
        and pitch % 12 in scale
        and (pitch % 12 in around.chord.tones or 0 < abs(pitch - notes[-2]) <= 2)
    ]
    if fitting:
        notes[-1] = min(fitting, key=lambda pitch: abs(pitch - notes[-2]))
    return [Stroke(beat, (pitch,)) for pitch in notes]


def _other(around: Around, index: int) -> int:
    """Another note of the chord near the root, above rather than below."""
    tone = around.chord.tones[index]
    up = around.root + (tone - around.root) % 12
    return up if up <= around.high else up - 12 if up - 12 >= around.low else around.root


Bass = Callable[[Around, int, int], list[Stroke]]
BASSES: dict[str, tuple[Bass, ...]] = {
    "happy": (short, fifths, pulse, walk),
    "sad": (held, held, fifths),
    "calm": (held, held, fifths, short),
    "energetic": (eighths, octaves, pulse, lilt),
    "mysterious": (held, short, lilt, octaves),
    "playful": (short, fifths, walk, octaves),
    "romantic": (held, fifths, lilt),
    "heroic": (pulse, held, fifths, lilt, eighths),
}

# -- chords ----------------------------------------------------------------------------------------------


def block(length: int, beat: int) -> Figure:
    return [(length, ALL)]


def beats(length: int, beat: int) -> Figure:
    return [(beat, ALL)] * (length // beat) if length % beat == 0 else block(length, beat)


def pumping(length: int, beat: int) -> Figure:
    return [(6, ALL)] * (length // 6)


def after(length: int, beat: int) -> Figure:
    """Off the beat: rest and chord in turn; in three, a rest and two chords; in compound time, the second
    and third eighth of each beat."""
    if beat == 18:
        return [(6, -1), (6, ALL), (6, ALL)] * (length // 18)
    if length == 36:
        return [(12, -1), (12, ALL), (12, ALL)]
    if length == 48:
        return [(12, -1), (12, ALL)] * 2
    return [(6, -1), (6, ALL)] * (length // 12)


def stride(length: int, beat: int) -> Figure:
    """The lowest note, then the others."""
    return [(span, UPPER if which == ALL else 0) for span, which in after(length, beat)]


def rolling(length: int, beat: int) -> Figure:
    order = (0, 1, 2) if beat == 18 or length == 18 else (0, 1, 2, 1)
    return [(6, order[number % len(order)]) for number in range(length // 6)]


def rising(length: int, beat: int) -> Figure:
    count = length // 6
    order = (0, 1, 2, 3, 2, 1) if count % 6 == 0 else (0, 1, 2, 3)
    return [(6, order[number % len(order)]) for number in range(count)]


def alberti(length: int, beat: int) -> Figure:
    order = (0, 2, 1) if beat == 18 else (0, 2, 1, 2)
    return [(6, order[number % len(order)]) for number in range(length // 6)]


def rippling(length: int, beat: int) -> Figure:
    return [(3, (0, 1, 2, 3)[number % 4]) for number in range(length // 3)]


def pushed(length: int, beat: int) -> Figure:
    """Three against four."""
    if length <= 18:
        return block(length, beat)
    return [(18, ALL), (18, ALL), (12, ALL)] if length == 48 else [(18, ALL), (length - 18, ALL)]


def strummed(length: int, beat: int) -> Figure:
    if length == 48:
        return [(12, ALL), (6, ALL), (12, ALL), (6, ALL), (12, ALL)]
    if beat == 18:
        return [(12, ALL), (6, ALL)] * (length // 18)
    return [(12, ALL)] + [(6, ALL)] * ((length - 12) // 6)


def quarters(length: int, beat: int) -> Figure:
    step = 6 if beat == 18 else 12
    return [(step, number % 3) for number in range(length // step)]


Chords = Callable[[int, int], Figure]
CHORDS: dict[str, tuple[Chords, ...]] = {
    "happy": (after, stride, strummed, rolling, beats),
    "sad": (block, rolling, quarters, rising),
    "calm": (block, rising, quarters, rolling),
    "energetic": (pumping, pushed, strummed, alberti, after),
    "mysterious": (block, rising, alberti, quarters),
    "playful": (after, stride, alberti, beats),
    "romantic": (rising, rolling, block, rippling, quarters),
    "heroic": (beats, block, pushed, strummed),
}
SINGLE = (rolling, rising, alberti, quarters)
"""Those that an instrument of one voice can play."""
SUSTAINED = {
    "organ": (block, block, beats),
    "strings": (block, block, beats, pumping),
    "choir": (block, block),
}


def voicing(
    chord: Chord, low: int, high: int, *, size: int, near: tuple[int, ...], banned: list[int]
) -> tuple[int, ...]:
    """Notes of the chord in close position between `low` and `high`, with little movement from `near`; its
    lowest note is rather none of `banned`."""
    tones = list(chord.tones)
    if size < len(tones):
        tones.remove(tones[2])  # the fifth is missed least
    best: tuple[float, tuple[int, ...]] | None = None
    for start in range(low, max(low, high - 5) + 1):
        if start % 12 not in tones:
            continue
        notes, pitch = [start], start + 1
        while len(notes) < size and pitch <= high:
            if pitch % 12 in tones:
                notes.append(pitch)
            pitch += 1
        missing = len(set(tones) - {note % 12 for note in notes}) * 20
        moved = sum(min(abs(note - old) for old in near) for note in notes) if near else 0
        cost = missing + moved + 9 * (start in banned) + 0.5 * abs(sum(notes) / len(notes) - (low + high) / 2)
        if best is None or cost < best[0]:
            best = cost, tuple(notes)
    if best is None:
        raise ValueError(f"{chord} has no note between {low} and {high - 5}")
    return best[1]


def strike(figure: Figure, notes: tuple[int, ...]) -> list[Stroke]:
    """A figure of chords with these notes."""
    line = []
    for length, which in figure:
        if which == -1:
            line.append(Stroke(length))
        elif which in {ALL, UPPER}:
            line.append(Stroke(length, notes if which == ALL or len(notes) == 1 else notes[1:]))
        else:
            high = notes[which] if which < len(notes) else notes[which % len(notes)] + 12
            line.append(Stroke(length, (high if which < len(notes) else notes[-1],)))
    return line


# -- drums -----------------------------------------------------------------------------------------------

_GROOVES = {
    "2/4": ("kh h sh h", "k . s .", "kr r sr r", "k h sh h", "kb b xb b"),
    "3/4": ("k . h . h .", "kr . r . r .", "k . s . s .", "kh h h h sh h", "kb . xb . xb ."),
    "4/4": ("kh h sh h kh h sh h", "kh h sh h kh kh sh h", "kr r xr r kr r xr r", "k h s h k h s o",
            "k . s . k . s .", "kh h sh kh h kh sh h", "kb b xb b b kb xb b", "k . . k s . . ."),
    "6/8": ("kh h h sh h h", "k . h s . h", "kr . r xr . r", "kb b b xb b b", "k . . s . ."),
}  # fmt: skip
"""Eighth by eighth."""

_FILLS = {
    "2/4": ("kh h s s", "k m t s"),
    "3/4": ("kh h s h s s", "k . s m t t"),
    "4/4": ("kh h sh h m m t t", "kh h sh h s s s so", "k h s h s m t s"),
    "6/8": ("kh h h s m t", "k . h s s s"),
}

_QUIET = {"sad", "calm", "mysterious", "romantic"}


def groove(metre: str, mood: str, dice: random.Random) -> tuple[str, str]:
    """A pattern of a bar and its fill."""
    ways = _GROOVES[metre]
    if mood in _QUIET:
        ways = tuple(way for way in ways if "r" in way or "b" in way or "." in way)
    return dice.choice(ways), dice.choice(_FILLS[metre])


def drummed(pattern: str, *, crash: bool = False) -> list[Stroke]:
    """The strokes of a pattern; what is not struck for a while rests by being left to ring."""
    line: list[Stroke] = []
    for number, letters in enumerate(pattern.split()):
        if letters == "." and line:
            line[-1] = Stroke(line[-1].length + 6, line[-1].pitches)
            continue
        struck = "kc" if crash and number == 0 else "" if letters == "." else letters
        line.append(Stroke(6, tuple(sorted(KIT[letter] for letter in struck))))
    return line
