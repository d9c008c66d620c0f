"""Lets a model answer exercises, many at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from pipelines.training.tales.exercises import Exercise
from pipelines.training.tales.tokens import Speller

LONGEST = 256  # tokens of an answer
TEMPERATURE, MIN_P = 1.0, 0.5
"""As the catalog's row has them: of what is nearly as likely as the likeliest, anything."""
TOGETHER = 64


class Teller:
    """A model and its tokenizer."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
        self.model, self.tokenizer, self.speller = model, tokenizer, Speller(tokenizer)

    def tell(
        self,
        exercises: Sequence[Exercise],
        seed: int,
        temperature: float = TEMPERATURE,
        min_p: float = MIN_P,
    ) -> list[str]:
        """An answer to each."""
        torch.manual_seed(seed)
        prompts = [self.speller.prompt(one) for one in exercises]
        order = sorted(range(len(prompts)), key=lambda at: len(prompts[at]))
        told = [""] * len(prompts)
        for first in range(0, len(order), TOGETHER):
            some = order[first : first + TOGETHER]
            made = self._together([prompts[at] for at in some], temperature, min_p)
            for at, text in zip(some, made, strict=True):
                told[at] = text
        return told

    def _together(self, prompts: list[list[int]], temperature: float, min_p: float) -> list[str]:
        rows = self.tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
        with torch.inference_mode():
            made = self.model.generate(
                input_ids=rows["input_ids"],
                attention_mask=rows["attention_mask"],
                max_new_tokens=LONGEST,
                do_sample=temperature > 0,
                temperature=temperature or None,
                top_k=0,
                min_p=min_p or None,
            )
        return list(
            self.tokenizer.batch_decode(made[:, rows["input_ids"].shape[1] :], skip_special_tokens=True)
        )
