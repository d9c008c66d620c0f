"""The judge's own exam: true pieces, pieces with one thing swapped, and bars with one note spoilt."""

import random
from collections import Counter
from dataclasses import replace
from typing import Any

from pipelines.music.instruments import DRUMS, INSTRUMENTS
from pipelines.music.judge import broken_bars, faults
from pipelines.music.score import Note, Part, Score
from pipelines.music.theory import key_name, key_parts
from pipelines.music.wish import METRES, Wish
from pipelines.training.figures import share
from pipelines.training.songbook.pieces import clear_piece
from pipelines.training.songbook.plan import draw_wish

SWAPS = ("key", "tempo", "metre", "instruments", "length")


def exam(count: int, seed: int) -> dict[str, Any]:
    """Shares of true pieces passed, of swapped ones passed, and of clean and of spoilt bars called clean."""
    dice = random.Random(f"songbook exam {seed}")
    true = swapped = clean = bars = spoilt = 0
    missed: Counter[str] = Counter()
    for number in range(count):
        wish, score = true_piece(dice)
        true += not faults(score, wish)
        swap = SWAPS[number % len(SWAPS)]
        if not faults(score, swapped_wish(wish, swap, dice)):
            swapped += 1
            missed[swap] += 1
        broken = broken_bars(score, wish.key)
        clean += sum(not rules for rules in broken)
        bars += len(broken)
        worse, bar = spoil(score, dice)
        near = broken_bars(worse, wish.key)[max(0, bar - 1) : bar + 2]
        spoilt += not any(near)
    return {
        "true pieces passed": share(true, count),
        "pieces with one thing swapped passed": share(swapped, count),
        "swaps not noticed": dict(missed),
        "composed bars that keep the rules": share(clean, bars),
        "bars with a note spoilt called right": share(spoilt, count),
    }


def true_piece(dice: random.Random) -> tuple[Wish, Score]:
    """A composed piece as its MIDI file gives it, with the wish that it answers."""
    wish = draw_wish(dice)
    return wish, Score.from_midi(clear_piece(dice, wish).to_score(str(wish.key)).to_midi())


def swapped_wish(wish: Wish, swap: str, dice: random.Random) -> Wish:
    """The wish with one thing another."""
    if swap == "key":
        tonic, mode = key_parts(str(wish.key))
        others = [key_name(tonic + up, mode) for up in (2, 5, 7)] + [key_name(tonic, _OTHER[mode])]
        relative = key_name(tonic + 3, "major") if mode == "minor" else key_name(tonic + 9, "minor")
        return replace(wish, key=dice.choice([*others, relative]))
    if swap == "tempo":
        return replace(wish, tempo=wish.tempo * dice.choice((0.5, 0.8, 0.9, 1.1, 1.25, 1.4, 2)))
    if swap == "metre":
        return replace(wish, metre=dice.choice([metre for metre in METRES if metre != wish.metre]))
    if swap == "length":
        return replace(wish, bars=dice.choice((wish.bars + max(3, wish.bars // 4), max(1, wish.bars // 2))))
    return replace(wish, instruments=_other_instruments(wish.instruments, dice))


_OTHER = {"major": "minor", "minor": "major"}


def _other_instruments(names: tuple[str, ...], dice: random.Random) -> tuple[str, ...]:
    """One more, one less, or one in another's place."""
    new = dice.choice([name for name in (*INSTRUMENTS, DRUMS) if name not in names])
    ways = [(*names, new), (*names[:-1], new)] + ([names[:-1]] if len(names) > 1 else [])
    return dice.choice(ways)


def spoil(score: Score, dice: random.Random) -> tuple[Score, int]:
    """One note of the upper part, on a beat, moved by a tritone or a semitone; and the bar that it is in."""
    place = next(index for index, part in enumerate(score.parts) if not part.drums)
    part = score.parts[place]
    strong = [index for index, note in enumerate(part.notes[1:-1], 1) if note.start % score.bar == 0]
    index = dice.choice(strong or range(len(part.notes)))
    note = part.notes[index]
    moved = replace(note, pitch=note.pitch + dice.choice((-6, -1, 1, 6)))
    notes: tuple[Note, ...] = (*part.notes[:index], moved, *part.notes[index + 1 :])
    parts: list[Part] = list(score.parts)
    parts[place] = replace(part, notes=notes)
    return replace(score, parts=tuple(parts)), note.start // score.bar
