"""Judges a score by its notes alone: whether it is what was wished for, and which bars break which rule.

No network, and nothing of how the piece was made, is looked at. The rules are a harmony primer's (W. Piston,
Harmony; Fux for two voices); `RULES` says each in a sentence.
"""

from dataclasses import dataclass
from itertools import pairwise

from pipelines.music.hearing import instruments_of, keeps_pulse, key_of, line, outer
from pipelines.music.score import Note, Part, Score
from pipelines.music.sheet import halves
from pipelines.music.theory import CHORDS, Chord, key_parts
from pipelines.music.wish import Wish

RULES = {
    "chord": "Every note belongs to the one chord of the bar (or the two of its halves), or is a passing or "
    "neighbour note between steps, or a suspension that steps down.",
    "strong": "What begins on a strong beat belongs to the chord.",
    "leap": "The upper voice leaps no tritone, no seventh and no more than an octave.",
    "parallel": "Outer voices that move together keep no fifth or octave between them.",
    "leading": "In an outer voice the leading tone of a dominant steps up when the tonic follows.",
    "end": "The piece ends on the tonic chord.",
}

TEMPO_WITHIN = 0.03
"""How far the tempo may be from the one that was wished for."""
LENGTH_WITHIN = 0.1
"""How far the length may be off; a bar more or less always may."""


def faults(score: Score, wish: Wish) -> set[str]:
    """Which of key, tempo, metre, instruments and length are not as wished; what was not wished is right."""
    found = set()
    if wish.key and key_of(score) != wish.key:
        found.add("key")
    if wish.tempo and not (
        abs(score.tempo / wish.tempo - 1) < TEMPO_WITHIN and keeps_pulse(score, wish.tempo, TEMPO_WITHIN)
    ):
        found.add("tempo")
    if wish.metre and score.metre != wish.metre:
        found.add("metre")
    if wish.instruments and instruments_of(score) != set(wish.instruments):
        found.add("instruments")
    if _wrong_length(score, wish):
        found.add("length")
    return found


def _wrong_length(score: Score, wish: Wish) -> bool:
    """Judged by the last bar in which anything sounds."""
    last = max((note.end for part in score.parts for note in part.notes), default=0)
    bars = -(-last // score.bar)
    wanted = wish.bars or (wish.seconds / score.seconds_at(score.bar) if wish.seconds else bars)
    return abs(bars - wanted) > max(1, LENGTH_WITHIN * wanted)


def broken_bars(score: Score, key: str | None = None) -> list[set[str]]:
    """For each bar the names of the RULES that it breaks, in this key or the one that is heard."""
    return _Reading(score, key or key_of(score)).bars()


@dataclass(frozen=True)
class _Span:
    """A stretch of a bar that one chord rules."""

    start: int
    end: int


class _Reading:
    """A score with its key, read bar by bar."""

    def __init__(self, score: Score, key: str) -> None:
        self.score = score
        self.tonic, self.mode = key_parts(key)
        self.parts = [part for part in score.parts if part.notes and not part.drums]
        self.strong = {0} | ({score.bar // 2} if score.metre in {"4/4", "6/8", "12/8"} else set())
        self.single = {id(part): _is_single(part) for part in self.parts}
        self.around = {id(part): _neighbours(part) for part in self.parts if self.single[id(part)]}
        self.chords: list[tuple[int, Chord]] = []
        """When each chord begins, as far as bars were read."""

    def bars(self) -> list[set[str]]:
        broken = [self._bar(number) for number in range(self.score.bars)]
        for rule, tick in [*self._leaps(), *self._parallels(), *self._leading()]:
            broken[min(tick // self.score.bar, self.score.bars - 1)].add(rule)
        if not self._ends_at_home():
            broken[-1].add("end")
        return broken

    def _ends_at_home(self) -> bool:
        """Whether what sounds last is the tonic chord, or notes of it."""
        end = max(note.end for part in self.parts for note in part.notes)
        last = {
            (note.pitch - self.tonic) % 12 for part in self.parts for note in part.notes if note.end == end
        }
        return last <= {0, 4 if self.mode == "major" else 3, 7}

    def _bar(self, number: int) -> set[str]:
        """The rules that the best reading of a bar as one chord or as two breaks."""
        start = number * self.score.bar
        whole = [_Span(start, start + self.score.bar)]
        first, _ = halves(self.score.metre)
        split = [_Span(start, start + first), _Span(start + first, start + self.score.bar)]
        readings = [self._read(whole)]
        if readings[0][0]:
            readings.append(self._read(split))
        broken, chords = min(readings, key=lambda reading: len(reading[0]))
        self.chords += chords
        return set(broken)

    def _read(self, spans: list[_Span]) -> tuple[list[str], list[tuple[int, Chord]]]:
        broken: list[str] = []
        chords = []
        for span in spans:
            faults, chord = min(
                ((self._against(span, chord), chord) for chord in self._likely(span)),
                key=lambda pair: len(pair[0]),
                default=([], None),
            )
            broken += faults
            if chord:
                chords.append((span.start, chord))
        return broken, chords

    def _likely(self, span: _Span) -> list[Chord]:
        """The three chords of the key that cover most of what sounds, with a leaning to roots in the bass."""
        weights = [0] * 12
        lowest: tuple[int, int] | None = None
        for part in self.parts:
            for note in part.notes:
                sounding = min(note.end, span.end) - max(note.start, span.start)
                if sounding > 0:
                    weights[(note.pitch - self.tonic) % 12] += sounding
                    lowest = min(lowest or (128, 0), (note.pitch, (note.pitch - self.tonic) % 12))
        if lowest is None:
            return []
        total = sum(weights)

        def worth(chord: Chord) -> float:
            covered = sum(weights[tone] for tone in chord.tones) / total
            heard = sum(weights[tone] > 0 for tone in chord.tones) / len(chord.tones)
            return covered + 0.2 * heard + 0.1 * (lowest is not None and chord.root == lowest[1])

        return sorted(CHORDS[self.mode], key=worth, reverse=True)[:3]

    def _against(self, span: _Span, chord: Chord) -> list[str]:
        """The faults of all notes of a span, if this is its chord."""
        found = []
        for part in self.parts:
            for index, note in enumerate(part.notes):
                if note.start >= span.end:
                    break
                if note.end <= span.start or (note.pitch - self.tonic) % 12 in chord.tones:
                    continue
                if note.start < span.start:
                    if not self._falls(part, index):
                        found.append("chord")
                elif note.start % self.score.bar in self.strong:
                    found.append("strong")
                elif not self._passes(part, index):
                    found.append("chord")
        return found

    def _falls(self, part: Part, index: int) -> bool:
        """Whether a held note steps down at its end: a suspension."""
        if not self.single[id(part)]:
            return False
        _, after = self.around[id(part)][index]
        return after is not None and 1 <= part.notes[index].pitch - after <= 2

    def _passes(self, part: Part, index: int) -> bool:
        """Whether a note is entered and left by step."""
        if not self.single[id(part)]:
            return False
        before, after = self.around[id(part)][index]
        pitch = part.notes[index].pitch
        return (
            before is not None
            and after is not None
            and 1 <= abs(pitch - before) <= 2
            and 1 <= abs(after - pitch) <= 2
        )

    def _leaps(self) -> list[tuple[str, int]]:
        top, _ = outer(self.score)
        return [
            ("leap", after.start)
            for before, after in pairwise(line(top))
            if self.single[id(top)]
            and before.end >= after.start
            and (abs(after.pitch - before.pitch) in {6, 10, 11} or abs(after.pitch - before.pitch) > 12)
        ]

    def _parallels(self) -> list[tuple[str, int]]:
        top, low = outer(self.score)
        if top is low:
            return []
        below = _moves(line(low, lowest=True))
        return [
            ("parallel", start)
            for start, (old, new) in _moves(line(top)).items()
            if start in below and _parallel(old, new, *below[start])
        ]

    def _leading(self) -> list[tuple[str, int]]:
        found = []
        changes = {
            start: (old, new)
            for (_, old), (start, new) in pairwise(self.chords)
            if old.dominant and new.root == 0
        }
        leading = (self.tonic - 1) % 12
        for part, lowest in zip(outer(self.score), (False, True), strict=True):
            for start, (old, new) in _moves(line(part, lowest=lowest)).items():
                if (
                    start in changes
                    and old % 12 == leading
                    and changes[start][0].root in {7, 11}
                    and new != old + 1
                ):
                    found.append(("leading", start))
        return found


def _moves(notes: list[Note]) -> dict[int, tuple[int, int]]:
    """Where a line goes from one note straight to the next: the pitches before and after, by tick."""
    return {
        after.start: (before.pitch, after.pitch)
        for before, after in pairwise(notes)
        if before.end >= after.start
    }


def _parallel(upper: int, upper_after: int, lower: int, lower_after: int) -> bool:
    apart = (upper - lower) % 12
    moved = upper != upper_after and lower != lower_after
    return moved and apart in {0, 7} and apart == (upper_after - lower_after) % 12


def _is_single(part: Part) -> bool:
    return all(before.end <= after.start for before, after in pairwise(part.notes))


def _neighbours(part: Part) -> list[tuple[int | None, int | None]]:
    """For each note of a single line the pitches that touch it before and after."""
    notes = part.notes
    found = []
    for index, note in enumerate(notes):
        before = notes[index - 1] if index else None
        after = notes[index + 1] if index + 1 < len(notes) else None
        found.append((
            before.pitch if before and before.end == note.start else None,
            after.pitch if after and after.start == note.end else None,
        ))  # fmt: skip
    return found
