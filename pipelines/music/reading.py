"""Reads a score as a sheet: what a network has to know of a piece to go on with it.

The score itself is not changed by this. A sheet says less: one line a role, a grid of sixteenths, few chords.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.music.hearing import key_of, line
from pipelines.music.instruments import BY_PROGRAM, DRUMS, INSTRUMENTS
from pipelines.music.score import Note, Part, Score
from pipelines.music.sheet import KIT, LOUDNESS, ROLES, Bar, Line, Phrase, Sheet, Stroke, halves
from pipelines.music.theory import CHORDS, Chord, key_parts, tonic_pitch
from pipelines.music.wish import METRES, MOODS, Wish
from pipelines.music.words import GRID, HIGHEST, LENGTHS, LETTERS, LOWEST, MOST_NOTES, STRUCK

PHRASE = 4
"""Bars that are read as a phrase."""

_CHORD_SHARE = 0.8
"""A bar has one chord where it covers so much of what sounds, or two cover no more."""

Heard = list[tuple[int, int, tuple[int, ...]]]
"""Start, end and pitches of strokes, on the grid."""


def sheet_of(score: Score, wish: Wish) -> Sheet:
    """The score as a sheet, in the key and the mood of the wish where it says them.

    Raises ValueError for a metre or an instrument that there are no words for.
    """
    if score.metre not in METRES:
        raise ValueError(f"pieces are written in {', '.join(METRES)}, not in {score.metre}")
    key = wish.key or score.key or key_of(score)
    players = _players(score)
    tonic = tonic_pitch(key)
    lines = {role: _lines(role, parts, score, tonic) for role, parts in players.items()}
    mode = key_parts(key)[1]
    bars = [
        Bar(
            _chords(score, number, mode, tonic),
            {r: rows[number] for r, rows in lines.items() if rows[number]},
        )
        for number in range(score.bars)
    ]
    arrangement = {role: _name(players[role][0]) for role in ROLES if role in players}
    mood = wish.mood or MOODS[0]
    return Sheet(mood, score.metre, mode, score.tempo, arrangement, _phrases(bars, score))


def _name(part: Part) -> str:
    if part.drums:
        return DRUMS
    if part.program not in BY_PROGRAM:
        raise ValueError(f"there are no words for General MIDI's program {part.program}")
    return BY_PROGRAM[part.program]


def _players(score: Score) -> dict[str, list[Part]]:
    """Which parts are read as which role: the highest single line as melody, the lowest part as bass."""
    parts = [part for part in score.parts if part.notes and not part.drums]
    if not parts:
        raise ValueError("a piece of drums alone has no melody to go on with")
    height = {id(part): sum(note.pitch for note in part.notes) / len(part.notes) for part in parts}
    parts.sort(key=lambda part: height[id(part)], reverse=True)
    single = [part for part in parts if _thickness(part) < 1.3]
    melody = single[0] if single and single[0] is not parts[-1] else parts[0]
    roles = {"melody": [melody]}
    rest = [part for part in parts if part is not melody]
    if rest and INSTRUMENTS[_name(rest[-1])].bass > 0:
        roles["bass"] = [rest.pop()]
    thick = [part for part in rest if _thickness(part) >= 1.3 or INSTRUMENTS[_name(part)].chords]
    if thick:
        chosen = max(thick, key=_thickness)
        roles["chords"] = [chosen]
        rest.remove(chosen)
    for role, part in zip([role for role in ROLES if role not in {*roles, DRUMS}], rest, strict=False):
        roles[role] = [part]
    if drums := [part for part in score.parts if part.drums and part.notes]:
        roles[DRUMS] = drums
    return roles


def _thickness(part: Part) -> float:
    """Notes that begin together, on average."""
    return len(part.notes) / len({note.start for note in part.notes})


# -- lines -----------------------------------------------------------------------------------------------


def _lines(role: str, parts: list[Part], score: Score, tonic: int) -> list[Line]:
    """The role's line of each bar; empty where it rests."""
    heard = _drummed(parts) if role == DRUMS else _pitched(role, parts[0], tonic)
    return [_bar_line(heard, number * score.bar, score.bar) for number in range(score.bars)]


def _on_grid(tick: int) -> int:
    return round(tick / GRID) * GRID


def _pitched(role: str, part: Part, tonic: int) -> Heard:
    """Strokes one after the other: each ends where the next begins, at the latest."""
    notes = part.notes if role == "chords" else tuple(line(part, lowest=role == "bass"))
    return _strokes((note, _folded(note.pitch - tonic)) for note in notes)


def _folded(pitch: int) -> int:
    """Within the pitches that there are words for, by octaves."""
    while pitch < LOWEST:
        pitch += 12
    while pitch > HIGHEST:
        pitch -= 12
    return pitch


def _drummed(parts: list[Part]) -> Heard:
    """Strokes of the kit, each until the next; what there are no words for is read as its nearest."""
    strokes = _strokes((note, _DRUM.get(note.pitch, 42)) for part in parts for note in part.notes)
    heard: Heard = []
    for number, (start, _, keys) in enumerate(strokes):
        end = strokes[number + 1][0] if number + 1 < len(strokes) else start + LENGTHS[-1]
        heard.append((start, end, _struck(keys)))
    return heard


def _strokes(notes: Iterable[tuple[Note, int]]) -> Heard:
    """Notes with the pitch that each is read as; what begins together is one stroke."""
    starts: dict[int, list[tuple[int, int]]] = {}
    for note, pitch in notes:
        starts.setdefault(_on_grid(note.start), []).append((_on_grid(note.end), pitch))
    heard: Heard = []
    order = sorted(starts)
    for number, start in enumerate(order):
        following = order[number + 1] if number + 1 < len(order) else None
        end = max(start + GRID, *(end for end, _ in starts[start]))
        end = end if following is None else min(end, following)
        pitches = sorted({pitch for _, pitch in starts[start]})[-MOST_NOTES:]
        heard.append((start, end, tuple(pitches)))
    return heard


_DRUM = {key: key for key in KIT.values()} | {
    35: 36, 40: 38, 39: 38, 41: 45, 43: 45, 47: 45, 50: 48, 44: 42, 53: 51, 59: 51, 57: 49, 52: 49, 55: 49,
    54: 70, 69: 70, 82: 70, 56: 42, 31: 37, 75: 37, 76: 37, 77: 37,
}  # fmt: skip


def _struck(keys: tuple[int, ...]) -> tuple[int, ...]:
    """The known stroke that shares most drums with these."""
    return max(STRUCK, key=lambda known: len(set(known) & set(keys)) - 0.5 * len(set(known) ^ set(keys)))


def _bar_line(heard: Heard, start: int, bar: int) -> Line:
    """What sounds in a bar as strokes of known lengths, gaps as rests."""
    line: list[Stroke] = []
    at = start
    for begun, end, pitches in heard:
        if end <= start or begun >= start + bar:
            continue
        if begun > at:
            line += _pieces(begun - at, (), held=False)
        until = min(end, start + bar)
        # where a phrase begins, what goes on from the bar before is read as begun anew: nothing is held there
        held = begun < start and start % (PHRASE * bar) != 0
        line += _pieces(until - max(begun, at), pitches, held=held)
        at = until
    if not line:
        return ()
    return tuple(line + _pieces(start + bar - at, (), held=False))


def _pieces(ticks: int, pitches: tuple[int, ...], *, held: bool) -> list[Stroke]:
    strokes: list[Stroke] = []
    while ticks > 0:
        length = max(each for each in LENGTHS if each <= ticks)
        strokes.append(Stroke(length, pitches, held=bool(pitches) and (held or bool(strokes))))
        ticks -= length
    return strokes


# -- chords and phrases ----------------------------------------------------------------------------------


def _chords(score: Score, number: int, mode: str, tonic: int) -> tuple[Chord, ...]:
    """The chord of a bar, or its two where they say clearly more."""
    start = number * score.bar
    first, _ = halves(score.metre)
    whole, share = _chord(score, start, start + score.bar, mode, tonic)
    one, early = _chord(score, start, start + first, mode, tonic)
    two, late = _chord(score, start + first, start + score.bar, mode, tonic)
    if share >= _CHORD_SHARE or one == two or (early + late) / 2 < share + 0.1:
        return (whole,)
    return one, two


def _chord(score: Score, start: int, end: int, mode: str, tonic: int) -> tuple[Chord, float]:
    """The chord of the mode that covers most of what sounds, and how much that is."""
    weights: Counter[int] = Counter()
    lowest = Note(0, 1, 127, 1)
    for part in score.parts:
        for note in part.notes if not part.drums else ():
            sounding = min(note.end, end) - max(note.start, start)
            if sounding > 0:
                weights[(note.pitch - tonic) % 12] += sounding
                lowest = min(lowest, note, key=lambda each: each.pitch)
    total = sum(weights.values()) or 1

    def covered(chord: Chord) -> float:
        return sum(weights[tone] for tone in chord.tones) / total

    def worth(chord: Chord) -> float:
        return covered(chord) - 0.03 * len(chord.tones) + 0.1 * (chord.root == (lowest.pitch - tonic) % 12)

    best = max(CHORDS[mode], key=worth)
    return best, covered(best)


@dataclass
class _Letters:
    """Gives phrases that begin alike the same letter."""

    seen: dict[Line, str]

    def letter(self, bars: list[Bar]) -> str:
        first = bars[0].lines.get("melody", ())
        return self.seen.setdefault(first, LETTERS[len(self.seen) % len(LETTERS)])


def _phrases(bars: list[Bar], score: Score) -> tuple[Phrase, ...]:
    letters = _Letters({})
    phrases = []
    for at in range(0, len(bars), PHRASE):
        group = bars[at : at + PHRASE]
        phrases.append(Phrase(letters.letter(group), _loudness(score, at, len(group)), tuple(group)))
    return tuple(phrases)


def _loudness(score: Score, first: int, count: int) -> int:
    """The dynamic that is nearest to the mean velocity of these bars."""
    begin, end = first * score.bar, (first + count) * score.bar
    loud = [n.velocity for part in score.parts for n in part.notes if begin <= n.start < end] or [LOUDNESS[2]]
    mean = sum(loud) / len(loud)
    return min(range(len(LOUDNESS)), key=lambda index: abs(LOUDNESS[index] - mean))
