"""Writes scores: a network chooses each word among those that the grammar allows."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.music import networks
from pipelines.music.grammar import allowed
from pipelines.music.hearing import key_of
from pipelines.music.networks import CONTEXT, Network
from pipelines.music.reading import sheet_of
from pipelines.music.score import Score
from pipelines.music.theory import key_name
from pipelines.music.wish import Wish
from pipelines.music.words import NUMBER, WORDS, head
from pipelines.music.writing import Writing

TEMPERATURE = 0.9
KEPT = CONTEXT // 2
"""Of a piece that is longer than a network's context, the last whole phrases that take so many words are read
again, and the piece goes on from there."""

Progress = Callable[[int, int], Any]
"""Told how many hundredths of wishes are written, of how many."""


class Writer:
    """A trained network with its grammar."""

    def __init__(self, network: Network) -> None:
        self.network = network

    @classmethod
    def load(cls, folder: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> "Writer":
        """The writer of an exported folder; raises ValueError where it knows other words."""
        return cls(networks.load(folder, device, dtype))

    def write(
        self,
        wishes: Sequence[Wish],
        seeds: Sequence[int],
        *,
        begin: Score | None = None,
        progress: Progress = lambda done, total: None,
        temperature: float = TEMPERATURE,
        together: int = 1,
        harmony: bool = True,
    ) -> list[Score]:
        """A score for each wish, drawn by its own seed.

        With `begin` each is that score, as the songbook reads it, and then as many new bars as the wish says,
        for its instruments and in its metre, tempo and key. Raises ValueError for a `begin` in a metre or for
        an instrument that there are no words for. At temperature 0 the likeliest word is taken.

        So many wishes are written `together`, which is faster; alone, company changes nothing, not even by
        rounding. Without `harmony` the grammar lets the network break the rules of harmony, to see what it
        has learned of them by itself.
        """
        if begin:
            key = begin.key or key_of(begin)
            wishes = [
                replace(wish, key=wish.key or key, tempo=begin.tempo, metre=begin.metre) for wish in wishes
            ]
        rows = [
            _Row(
                Writing.after(sheet_of(begin, wish), wish) if begin else Writing(wish, harmony=harmony), seed
            )
            for wish, seed in zip(wishes, seeds, strict=True)
        ]
        for first in range(0, len(rows), together):
            self._finish(rows[first : first + together], temperature, lambda: progress(*_written(rows)))
        return [row.score() for row in rows]

    def _finish(self, rows: "list[_Row]", temperature: float, tell: Callable[[], None]) -> None:
        """Write to the end; what does not fit side by side any more is finished one by one."""
        prompts = [window(row.writing) for row in rows]
        if len({len(prompt) for prompt in prompts}) > 1:
            return self._one_by_one(rows, temperature, tell)
        memory: Any = None
        read = 0
        while not all(row.writing.done for row in rows):
            if read >= CONTEXT:
                return self._one_by_one(rows, temperature, tell)
            numbers = torch.tensor([[NUMBER[word] for word in prompt] for prompt in prompts])
            with torch.inference_mode():
                logits, memory = self.network.read(numbers, memory)
            read += numbers.shape[1]
            for row, each in zip(rows, logits.float().cpu().numpy(), strict=True):
                row.choose(each, temperature)
            if any(row.writing.words[-1].startswith("bar ") for row in rows):
                tell()
            prompts = [row.writing.words[-1:] for row in rows]
        tell()
        return None

    def _one_by_one(self, rows: "list[_Row]", temperature: float, tell: Callable[[], None]) -> None:
        for row in rows:
            while not row.writing.done:
                self._finish([row], temperature, tell)


def window(writing: Writing) -> list[str]:
    """What of a piece is read to go on with it: all, or the head and the last phrases; of a phrase that is
    longer than KEPT words its end."""
    if len(writing.words) < CONTEXT - KEPT // 4:
        return writing.words
    starts = [number for number, word in enumerate(writing.words) if word.startswith("left ")]
    late = next((start for start in starts if len(writing.words) - start <= KEPT), starts[-1])
    return [*head(writing.sheet), "before", *writing.words[late:][-KEPT:]]


class _Row:
    """One piece while it is written, and its dice."""

    def __init__(self, writing: Writing, seed: int) -> None:
        self.writing, self.seed = writing, seed
        self.random = np.random.default_rng(seed)

    def choose(self, logits: NDArray[np.float32], temperature: float) -> None:
        """Add a word that may come next: sampled, by adding Gumbel noise to the logits."""
        if self.writing.done:
            return
        scores = np.where(allowed(self.writing), logits, -np.inf)
        if temperature > 0:
            scores = scores / temperature + self.random.gumbel(size=len(scores))
        self.writing.add(WORDS[int(scores.argmax())])

    def score(self) -> Score:
        """The piece in the wish's key, or in one that the seed chooses."""
        sheet = self.writing.sheet
        return sheet.to_score(self.writing.wish.key or key_name(self.seed % 12, sheet.mode))

    @property
    def share(self) -> float:
        """How much is written, 0 to 1."""
        writing = self.writing
        if writing.done or not writing.left:
            return float(writing.done)
        return 1 - (writing.left - len(writing.bars)) / writing.total


def _written(rows: "list[_Row]") -> tuple[int, int]:
    return round(100 * sum(row.share for row in rows)), 100 * len(rows)
