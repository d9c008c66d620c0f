"""Composes whole pieces by rule: form, harmony, tune, then what goes with it.

python -m pipelines.training.songbook.compose 3 --midi var/three.mid
"""

import random
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, pairwise

import numpy as np

from pipelines.music.instruments import DRUMS, INSTRUMENTS
from pipelines.music.score import bar_ticks
from pipelines.music.sheet import Bar, Line, Phrase, Sheet, Stroke, chord_at, spans, strong_ticks
from pipelines.music.theory import Chord, key_parts
from pipelines.music.wish import Wish
from pipelines.music.words import LENGTHS
from pipelines.training.songbook import accompany
from pipelines.training.songbook.accompany import BASSES, CHORDS, SINGLE, SUSTAINED, Around
from pipelines.training.songbook.lines import Manner, Slot, draw
from pipelines.training.songbook.plan import CHARACTERS, arrange, form
from pipelines.training.songbook.rhythm import slow
from pipelines.training.songbook.tune import Frame, Theme, chords_of, pinned, tune_of

Timed = list[tuple[int, int, int]]
"""A line of single notes: start, end, pitch."""

PERFECT = (0, 7)
"""Intervals, in semitones within the octave, that two voices must not have twice in turn."""


def compose(wish: Wish, dice: random.Random) -> Sheet:
    """A piece for a whole wish (its `bars` given), in words of the tonic; the key is the caller's."""
    character = CHARACTERS[wish.mood]
    arrangement = arrange(wish.instruments, dice)
    floor = INSTRUMENTS[arrangement["chords"]].low if "chords" in arrangement else 0
    low, high = _register(arrangement["melody"], max(72 + dice.randint(-2, 3), floor + 19), 9)
    frame = Frame(
        wish.metre,
        key_parts(wish.key)[1],
        character,
        low,
        high,
        dice,
        np.random.default_rng(dice.getrandbits(32)),
    )
    piece = _Piece(frame, wish.mood, arrangement)
    phrases = form(wish.bars, dice)
    for number, (letter, bars) in enumerate(phrases):
        piece.add(letter, bars, number, len(phrases))
    return Sheet(wish.mood, wish.metre, frame.mode, wish.tempo, arrangement, tuple(piece.phrases))


def _register(name: str, centre: int, reach: int) -> tuple[int, int]:
    """Lowest and highest pitch above the tonic for a line of this instrument round `centre` (a MIDI key)."""
    instrument = INSTRUMENTS[name]
    middle = min(max(centre, instrument.low + reach), max(instrument.high - reach, instrument.low + reach))
    return max(instrument.low, middle - reach) - 60, min(instrument.high, middle + reach) - 60


class _Piece:
    """The phrases so far, and what the next one goes on from."""

    def __init__(self, frame: Frame, mood: str, arrangement: dict[str, str]) -> None:
        self.frame, self.mood, self.arrangement = frame, mood, arrangement
        self.themes: dict[str, Theme] = {}
        self.phrases: list[Phrase] = []
        self.last: Chord | None = None
        self.pitch: dict[str, int] = {}
        """The last pitch of each single line."""
        self.voices: tuple[int, ...] = ()
        """The last notes of the chords."""

    def add(self, letter: str, bars: int, number: int, count: int) -> None:
        """Compose the next phrase, the `number`th of `count`."""
        dice, final = self.frame.dice, number == count - 1
        cadence = "closed" if final else dice.choice(("open", "open", "mild", "closed"))
        theme = self._theme(letter, bars, cadence, final)
        lines = _Voices(self, theme, final).lines(resting=self._resting(number, count))
        dynamic = self.frame.character.dynamic + (letter in "BC" and dice.random() < 0.5)
        rows = tuple(
            Bar(chords, {role: line[at] for role, line in lines.items() if line[at]})
            for at, chords in enumerate(theme.chords)
        )
        self.phrases.append(Phrase(letter, min(dynamic, 4), rows))
        self.last = theme.chords[-1][-1]

    def _theme(self, letter: str, bars: int, cadence: str, final: bool) -> Theme:
        """The letter's theme: a new one, or the old one, with another end where the cadence is another."""
        old, frame = self.themes.get(letter), self.frame
        if old and len(old.chords) == bars and old.cadence == cadence and not final:
            return old
        if old and len(old.chords) == bars and bars >= 4:
            kept = bars - 2
            end = chords_of(frame, 2, cadence, old.chords[kept - 1][-1], final=final)
            chords, tune = old.chords[:kept] + end, old.tune[:kept]
        else:
            chords, tune = chords_of(frame, bars, cadence, self.last, final=final), []
        lift = 3.0 if letter in "BD" else 0
        before = self.before("melody")
        tune = tune_of(frame, chords, lift=lift, final=final, before=before, kept=tune)
        if not final:
            tune[-1] = _breathe(tune[-1], frame.dice)
        theme = Theme(chords, cadence, tune, old.styles if old else self._styles())
        self.themes[letter] = theme
        return theme

    def before(self, role: str) -> Slot | None:
        """The last note that a role played."""
        return pinned(self.pitch[role], self.last) if self.last and role in self.pitch else None

    def timed(self, role: str, strokes: Iterable[Stroke]) -> Timed:
        """A role's line with the note that came before it."""
        earlier = [(-6, 0, self.pitch[role])] if role in self.pitch else []
        return earlier + timed(strokes)

    def _styles(self) -> dict[str, object]:
        dice, name = self.frame.dice, self.arrangement.get("chords", "")
        if name and not INSTRUMENTS[name].chords:
            figure = dice.choice(SINGLE)
        else:
            figure = dice.choice(SUSTAINED.get(name, CHORDS[self.mood]))
        return {
            "bass": dice.choice(BASSES[self.mood]),
            "chords": figure,
            DRUMS: accompany.groove(self.frame.metre, self.mood, dice),
        }

    def _resting(self, number: int, count: int) -> set[str]:
        """Roles that wait for the second phrase of a longer piece."""
        if number or count < 3 or self.frame.dice.random() > 0.35:
            return set()
        names = list(self.arrangement.values())
        late = [role for role in ("counter", DRUMS) if role in self.arrangement]
        return {role for role in late if names.count(self.arrangement[role]) == 1}


def _breathe(row: list[Stroke], dice: random.Random) -> list[Stroke]:
    """A rest at the end of a long last note, now and then."""
    last = row[-1]
    if last.length < 12 or dice.random() < 0.4:
        return row
    rest = dice.choice([rest for rest in (6, 12) if last.length - rest in LENGTHS])
    return [*row[:-1], replace(last, length=last.length - rest), Stroke(rest)]


class _Voices:
    """What each role plays in one phrase."""

    def __init__(self, piece: _Piece, theme: Theme, final: bool) -> None:
        self.piece, self.theme, self.final = piece, theme, final
        self.frame, self.bar = piece.frame, bar_ticks(piece.frame.metre)
        self.beat = 18 if self.frame.metre == "6/8" else 12
        self.heads = [
            (number * self.bar + start, length, chord)
            for number, chords in enumerate(theme.chords)
            for start, length, chord in spans(chords, self.frame.metre)
        ]
        """Start, length and chord of each harmony of the phrase."""
        self.tune = piece.timed("melody", chain(*theme.tune))

    def lines(self, resting: set[str]) -> dict[str, list[Line]]:
        """Each role's bars."""
        made: dict[str, list[Line]] = {"melody": [tuple(row) for row in self.theme.tune]}
        others = [self.tune]
        if "bass" in self.piece.arrangement:
            made["bass"] = self.bars(self.bass())
            others.append(self.piece.timed("bass", chain(*made["bass"])))
        for role in ("counter", "inner"):
            if role in self.piece.arrangement:
                made[role] = self.single(role, others)
                others.append(self.piece.timed(role, chain(*made[role])))
        if "chords" in self.piece.arrangement:
            made["chords"] = self.bars(self.chords())
        if DRUMS in self.piece.arrangement:
            made[DRUMS] = self.drums()
        for role, rows in made.items():
            if role not in {"chords", DRUMS}:
                self.piece.pitch[role] = timed(chain(*rows))[-1][2]
            elif role == "chords":
                self.piece.pitch[role] = bottom(chain(*rows))[-1][2]
        for role in resting:
            made[role] = [()] * len(self.theme.chords)
        return made

    def bars(self, strokes: list[Stroke]) -> list[Line]:
        """Strokes of the phrase, cut into bars; the heads make sure that none crosses a bar line."""
        rows: list[list[Stroke]] = [[]]
        filled = 0
        for stroke in strokes:
            if filled == self.bar:
                rows.append([])
                filled = 0
            rows[-1].append(stroke)
            filled += stroke.length
        return [tuple(row) for row in rows]

    # -- bass --

    def bass(self) -> list[Stroke]:
        low, high = _register(self.piece.arrangement["bass"], 45, 10)
        stand = self._stand(low, high)
        strokes: list[Stroke] = []
        for number, (start, length, chord) in enumerate(self.heads):
            after = stand[min(number + 1, len(stand) - 1)]
            around = Around(stand[number], chord, self.frame.mode, after, low, high)
            last = self.final and start + length == len(self.theme.chords) * self.bar
            ways = [accompany.held] if last else [self.theme.styles["bass"], accompany.fifths, accompany.held]
            for way in ways:
                figure = way(around, length, self.beat)
                whole = [*strokes, *figure, Stroke(1, (after,))] if not last else [*strokes, *figure]
                if not parallels(self.tune, self.piece.timed("bass", whole), since=start):
                    break
            strokes += figure
        return strokes

    def _stand(self, low: int, high: int) -> list[int]:
        """The bass notes under each chord: roots, and thirds where they save a leap or a parallel."""
        centre = low + 8
        rows: list[dict[int, tuple[float, int]]] = []
        for number, (start, _, chord) in enumerate(self.heads):
            edge = number in {0, len(self.heads) - 1}
            costs = {chord.tones[0]: 0.0, chord.tones[1]: 5.0 if edge else 1.1}
            if self.final and number == len(self.heads) - 1:
                del costs[chord.tones[1]]
            here: dict[int, tuple[float, int]] = {}
            for pitch in range(low, high + 1):
                if pitch % 12 not in costs:
                    continue
                base = costs[pitch % 12] + 0.06 * abs(pitch - centre) + self.frame.random.random() * 0.4
                here[pitch] = min(
                    (
                        cost + base + self._move(before, pitch, start) + self._led(before, pitch, number),
                        before,
                    )
                    for before, (cost, _) in (rows[-1] if rows else {self._before(low): (0.0, 0)}).items()
                )
            rows.append(here)
        path = [min(rows[-1], key=lambda pitch: rows[-1][pitch][0])]
        for row in reversed(rows[1:]):
            path.append(row[path[-1]][1])
        return path[::-1]

    def _before(self, low: int) -> int:
        return self.piece.pitch.get("bass", low + 8)

    def _move(self, before: int, pitch: int, start: int) -> float:
        move = abs(pitch - before)
        cost = 0.09 * move + (1.0 if move == 6 else 0) + (2.0 if move > 9 and move != 12 else 0)
        return cost + 30 * in_parallel(*moving(self.tune, start), before, pitch)

    def _led(self, before: int, pitch: int, number: int) -> float:
        """What it costs that a leading tone does not rise to the tonic."""
        old = self.heads[number - 1][2] if number else self.piece.last
        leads = old and old.dominant and old.root in {7, 11} and self.heads[number][2].root == 0
        return 20.0 if leads and before % 12 == 11 and pitch != before + 1 else 0

    # -- second lines --

    def single(self, role: str, others: list[Timed]) -> list[Line]:
        """A counter-melody, or an inner voice that holds notes of the chords."""
        name = self.piece.arrangement[role]
        lowest = min(pitch for _, _, pitch in self.tune)
        top = lowest + (4 if role == "counter" else -2) + 60
        low, high = _register(name, top - (7 if role == "counter" else 9), 8)
        rows = [self._rhythm(role, number) for number in range(len(self.theme.chords))]
        slots = [slot for number, row in enumerate(rows) for slot in self._slots(number, row, others)]
        manner = Manner(self.frame.mode, low, high, 1.2, pull=0.08, plain=role == "inner", noise=0.5)
        if before := self.piece.before(role):
            slots.insert(0, before)
            manner = replace(manner, low=min(low, before.pinned), high=max(high, before.pinned))
        pitches = iter(draw(slots, manner, self.frame.random)[1 if before else 0 :])
        return [tuple(Stroke(length, (next(pitches),)) for length in row) for row in rows]

    def _rhythm(self, role: str, number: int) -> list[int]:
        chords = self.theme.chords[number]
        if role == "inner" or len(chords) == 2 or number == len(self.theme.chords) - 1:
            return [length for _, length, _ in spans(chords, self.frame.metre)]
        return slow(self.frame.metre, self.frame.dice)

    def _slots(self, number: int, row: list[int], others: list[Timed]) -> list[Slot]:
        slots, start = [], 0
        for length in row:
            chord = chord_at(self.theme.chords[number], self.frame.metre, start)
            at = number * self.bar + start
            target = self.frame.centre - 7 - 2 * np.sin(at / self.bar)
            heard = tuple(pair for line in others if (pair := moving(line, at)) != (None, None))
            slots.append(
                Slot(chord, strong=start in strong_ticks(self.frame.metre), target=target, against=heard)
            )
            start += length
        return slots

    # -- chords and drums --

    def chords(self) -> list[Stroke]:
        name = self.piece.arrangement["chords"]
        ceiling = min(pitch for _, _, pitch in self.tune) + 60
        low, high = _register(name, min(60, ceiling - 5), 9)
        high = max(low + 11, min(high, ceiling - 60))
        lowest = "bass" not in self.piece.arrangement
        figure, strokes = self.theme.styles["chords"], []
        size = 4 if figure in {accompany.rising, accompany.rippling} else 3
        for start, length, chord in self.heads:
            last = self.final and start + length == len(self.theme.chords) * self.bar
            notes = self._voicing(chord, start, (low, high), size=size, lowest=lowest)
            way = accompany.block if last else figure
            played = accompany.strike(way(length, self.beat), notes)
            if not INSTRUMENTS[name].chords:
                played = [replace(stroke, pitches=stroke.pitches[:1]) for stroke in played]
            if lowest and parallels(
                self.tune, self.piece.timed("chords", lowest_of([*strokes, *played])), since=start
            ):
                played = [Stroke(length, notes if INSTRUMENTS[name].chords else notes[:1])]
            strokes += played
            self.piece.voices = notes
        return strokes

    def _voicing(
        self, chord: Chord, start: int, span: tuple[int, int], *, size: int, lowest: bool
    ) -> tuple[int, ...]:
        """The notes of a chord; where they are the lowest that sound, without parallels to the tune."""
        low, high = span
        size = max(size, len(chord.tones) if chord.quality == "dim7" else size)
        before = self.piece.pitch.get("chords") if start == 0 else None
        before = self.piece.voices[0] if before is None and self.piece.voices else before
        moved = moving(self.tune, start) if lowest and before is not None else (None, None)
        banned = [pitch for pitch in range(low, high + 1) if in_parallel(*moved, before or 0, pitch)]
        return accompany.voicing(chord, low, high, size=size, near=self.piece.voices, banned=banned)

    def drums(self) -> list[Line]:
        pattern, fill = self.theme.styles[DRUMS]
        count = len(self.theme.chords)
        rows = [accompany.drummed(pattern, crash=number == 0 and count >= 4) for number in range(count)]
        if count >= 3 and not self.final:
            rows[-1] = accompany.drummed(fill)
        if self.final:
            rows[-1] = accompany.drummed(" ".join(["kc"] + ["."] * (self.bar // 6 - 1)))
        return [tuple(row) for row in rows]


# -- two voices together ---------------------------------------------------------------------------------


def timed(strokes: Iterable[Stroke]) -> Timed:
    """Single notes with their times; of several at once the highest. Held strokes lengthen theirs."""
    return _notes(strokes, -1)


def lowest_of(strokes: Iterable[Stroke]) -> list[Stroke]:
    """The strokes with the lowest pitch of each only."""
    return [replace(stroke, pitches=stroke.pitches[:1]) for stroke in strokes]


def bottom(strokes: Iterable[Stroke]) -> Timed:
    """As `timed`, with the lowest of several."""
    return _notes(strokes, 0)


def _notes(strokes: Iterable[Stroke], which: int) -> Timed:
    notes: Timed = []
    at = 0
    for stroke in strokes:
        if stroke.held and notes:
            notes[-1] = (notes[-1][0], at + stroke.length, notes[-1][2])
        elif stroke.pitches:
            notes.append((at, at + stroke.length, stroke.pitches[which]))
        at += stroke.length
    return notes


def moving(line: Timed, at: int) -> tuple[int | None, int | None]:
    """The pitches just before and at `at` of a line that goes on to a note there; else (None, None)."""
    for before, after in pairwise(line):
        if after[0] == at:
            return (before[2], after[2]) if before[1] == at else (None, None)
    return None, None


def in_parallel(upper: int | None, upper_after: int | None, lower: int, lower_after: int) -> bool:
    """Whether two voices that both move keep the same perfect fifth or octave between them."""
    if upper is None or upper_after is None or upper == upper_after or lower == lower_after:
        return False
    interval = (upper - lower) % 12
    return interval in PERFECT and interval == (upper_after - lower_after) % 12


def parallels(upper: Timed, lower: Timed, since: int = 0) -> int:
    """How often from a tick on two lines move in parallel fifths or octaves."""
    count = 0
    for before, after in pairwise(lower):
        if after[0] >= since and before[1] == after[0]:
            count += in_parallel(*moving(upper, after[0]), before[2], after[2])
    return count
