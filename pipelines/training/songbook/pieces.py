"""Pieces to learn from, as numbers of words: composed once and kept, the same for both networks."""

import random
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.music.hearing import key_margin
from pipelines.music.sheet import Sheet
from pipelines.music.wish import Wish
from pipelines.music.words import FAR, NUMBER, body, head
from pipelines.training.songbook.compose import compose
from pipelines.training.songbook.plan import draw_wish

GROUP = 128
"""Pieces that are composed and dealt out together."""
CONTEXT = 1024
"""Words that a network reads at once."""
NOTHING = NUMBER["nothing"]
CLEAR = 0.03
"""How much better a piece's key must fit than the next one; of TRIES pieces the first that is so clear."""
TRIES = 4


def clear_piece(dice: random.Random, wish: Wish | None = None) -> Sheet:
    """A composed piece whose key is heard; of a combination that is not held out, where no wish is given."""
    wish = wish or draw_wish(dice)
    for _ in range(TRIES):
        sheet = compose(wish, dice)
        if key_margin(sheet.to_score(wish.key), wish.key) > CLEAR:
            break
    return sheet


def lesson(sheet: Sheet, dice: random.Random) -> list[str]:
    """The words of a piece: whole, or without its first phrases, or as the beginning of a longer one."""
    count, bars = len(sheet.phrases), len(sheet.bars)
    first, end, more = 0, count, 0
    if count > 1 and dice.random() < 0.35:
        first = dice.randrange(1, count)
    if count - first > 1 and dice.random() < 0.25:
        end = count - 1
        more = dice.choice((dice.randint(1, 12), dice.randint(1, FAR)))
    phrases = sheet.phrases[first:end]
    left = more + bars - sum(len(phrase.bars) for phrase in sheet.phrases[:first])
    words = head(sheet) + (["before"] if first else [])
    return words + list(chain(*body(phrases, left))) + (["end"] if end == count else [])


@dataclass(frozen=True)
class Pieces:
    """A stock of groups of pieces; a group that was composed once is read from its file."""

    folder: Path
    seed: int
    groups: int
    batch: int
    """Pieces a step."""

    def step(self, number: int) -> Tensor:
        """(batch, longest) numbers of words of a step, filled up with `nothing`; pieces of like lengths."""
        each = GROUP // self.batch
        group = self.group(number // each % self.groups)
        order = sorted(range(GROUP), key=lambda index: len(group[index]))
        rows = [order[at : at + self.batch] for at in range(0, GROUP, self.batch)]
        random.Random(f"{self.seed}:{number // each}").shuffle(rows)
        return padded([group[index] for index in rows[number % each]])

    def group(self, number: int) -> list[NDArray[np.int16]]:
        """The pieces of a group."""
        path = self.folder / f"{self.seed}-{number}.npz"
        if not path.exists():
            dice = random.Random(f"songbook {self.seed} {number}")
            rows = [[NUMBER[word] for word in lesson(clear_piece(dice), dice)] for _ in range(GROUP)]
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(f".{id(self)}.npz")
            np.savez(
                partial, words=np.concatenate(rows).astype(np.int16), ends=np.cumsum(list(map(len, rows)))
            )
            partial.replace(path)
        with np.load(path) as kept:
            return [row[:CONTEXT] for row in np.split(kept["words"], kept["ends"][:-1])]


def padded(rows: list[NDArray[np.int16]]) -> Tensor:
    """(rows, longest), filled up on the right."""
    whole = np.full((len(rows), max(map(len, rows))), NOTHING, np.int64)
    for row, words in zip(whole, rows, strict=True):
        row[: len(words)] = words
    return torch.from_numpy(whole)
