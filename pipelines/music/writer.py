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
from pipelines.music.sheet import Sheet
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

    @torch.inference_mode()
    def write(
        self,
        wishes: Sequence[Wish],
        seeds: Sequence[int],
        *,
        begin: Score | None = None,
        progress: Progress = lambda done, total: None,
        temperature: float = TEMPERATURE,
    ) -> list[Score]:
        """A score for each wish, drawn by its own seed; written one by one, so that company changes nothing.

        With `begin` each is that score, as the songbook reads it, and then as many new bars as the wish says,
        for its instruments and in its metre, tempo and key. Raises ValueError for a `begin` in a metre or for
        an instrument that there are no words for. At temperature 0 the likeliest word is taken.
        """
        if begin:
            key = begin.key or key_of(begin)
            wishes = [
                replace(wish, key=wish.key or key, tempo=begin.tempo, metre=begin.metre) for wish in wishes
            ]
        scores: list[Score] = []
        for wish, seed in zip(wishes, seeds, strict=True):
            writing = Writing.after(sheet_of(begin, wish), wish) if begin else Writing(wish)
            random = np.random.default_rng(seed)
            self._finish(writing, random, temperature, _telling(progress, len(scores), len(wishes)))
            scores.append(_score(writing.sheet, wish, seed))
        return scores

    def _finish(
        self,
        writing: Writing,
        random: np.random.Generator,
        temperature: float,
        tell: Callable[[Writing], None],
    ) -> None:
        """Write to the end."""
        memory: Any = None
        read = 0
        while not writing.done:
            if memory is None or read >= CONTEXT:
                memory, words = None, window(writing)
                read = 0
            else:
                words = writing.words[-1:]
            numbers = torch.tensor([[NUMBER[word] for word in words]])
            logits, memory = self.network.read(numbers, memory)
            read += len(words)
            writing.add(WORDS[_choose(logits[0].float().cpu().numpy(), writing, temperature, random)])
            if writing.words[-1].startswith("bar "):
                tell(writing)


def window(writing: Writing) -> list[str]:
    """What of a piece is read to go on with it: all, or the head and the last phrases."""
    if len(writing.words) < CONTEXT - KEPT // 4:
        return writing.words
    starts = [number for number, word in enumerate(writing.words) if word.startswith("left ")]
    late = [start for start in starts if len(writing.words) - start <= KEPT] or starts[-1:]
    return [*head(writing.sheet), "before", *writing.words[late[0] :]][-CONTEXT + 1 :]


def _choose(
    logits: NDArray[np.float32], writing: Writing, temperature: float, random: np.random.Generator
) -> int:
    """The number of the next word: sampled by adding Gumbel noise, among those that may come."""
    scores = np.where(allowed(writing), logits, -np.inf)
    if temperature > 0:
        scores = scores / temperature + random.gumbel(size=len(scores))
    return int(scores.argmax())


def _telling(progress: Progress, done: int, total: int) -> Callable[[Writing], None]:
    """Tells how much is written, in hundredths of a wish."""

    def tell(writing: Writing) -> None:
        share = len(writing.sheet.bars) / max(1, writing.total)
        progress(round(100 * (done + min(1.0, share))), 100 * total)

    return tell


def _score(sheet: Sheet, wish: Wish, seed: int) -> Score:
    """The sheet in the wish's key, or in one that the seed chooses."""
    return sheet.to_score(wish.key or key_name(seed % 12, sheet.mode))
