"""Rows that are computed together: their key-value cache, into which rows join and which they leave.

The tokens of a row stand at the right end of the cache; a row that is shorter than another has padding on
its left, which its attention mask hides.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

PADDED_LAYERS = (DynamicLayer, DynamicSlidingWindowLayer)
"""Layers whose cache may be padded. Others (state-space, linear attention) keep one state of all tokens."""


def may_join(model: Any) -> bool:
    """Whether rows of different lengths can share a cache of this model: all its layers are attention."""
    return all(type(layer) in PADDED_LAYERS for layer in DynamicCache(config=model.config).layers)


def empty_cache(model: Any) -> Cache:
    """A cache of no tokens. Layers with a sliding window keep all tokens, too, so that rows can join: the
    mask leaves out what is beyond the window."""
    return DynamicCache() if may_join(model) else DynamicCache(config=model.config)


class Rows:
    """The rows of one cache: how many tokens of each are in it, and how it is read on by the model."""

    def __init__(self, model: Any, cache: Cache | None = None, lengths: Sequence[int] = (0,)) -> None:
        self._model = model
        self._cache = empty_cache(model) if cache is None else cache
        self.lengths = list(lengths)

    def read(self, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        """Read further tokens, equally many for each row; the logits after the last, (rows, vocabulary)."""
        device = self._model.device
        ids = torch.tensor(tokens, device=device)
        lengths = torch.tensor(self.lengths, device=device)[:, None]
        width = max(self.lengths)
        columns = torch.arange(width + ids.shape[1], device=device)
        with torch.inference_mode():
            answer = self._model(
                input_ids=ids,
                attention_mask=(columns >= width - lengths).long(),
                position_ids=lengths + torch.arange(ids.shape[1], device=device),
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
            )
        self.lengths = [length + ids.shape[1] for length in self.lengths]
        logits: torch.Tensor = answer.logits[:, -1]
        return logits

    def pick(self, rows: Sequence[int]) -> None:
        """Keep these rows only, in this order; one named twice is doubled."""
        width = max(self.lengths)
        self._cache.reorder_cache(torch.tensor(rows, device=self._model.device))
        self.lengths = [self.lengths[row] for row in rows]
        if unused := width - max(self.lengths):
            for layer in self._layers(self._cache):
                layer.keys, layer.values = layer.keys[..., unused:, :], layer.values[..., unused:, :]

    def join(self, other: "Rows") -> None:
        """Take in the rows of another cache, after one's own."""
        width = max(*self.lengths, *other.lengths)
        for mine, theirs in zip(self._layers(self._cache), self._layers(other._cache), strict=True):
            mine.keys = torch.cat([_widened(mine.keys, width), _widened(theirs.keys, width)])
            mine.values = torch.cat([_widened(mine.values, width), _widened(theirs.values, width)])
        self.lengths += other.lengths

    @staticmethod
    def _layers(cache: Cache) -> list[Any]:
        return [layer for layer in cache.layers if layer.is_initialized]


def _widened(states: torch.Tensor, width: int) -> torch.Tensor:
    """Keys or values, padded on the left of the tokens' dimension."""
    return pad(states, (0, 0, width - states.shape[-2], 0))
