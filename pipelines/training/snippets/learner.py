"""The snippets model in training, and how it is written as a transformers folder."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from pipelines.training.course import dice
from pipelines.training.export import finish, save_half
from pipelines.training.optimizers import Pair, between_layers
from pipelines.training.snippets import batches
from pipelines.training.snippets.tokens import CONTEXT, VOCABULARY, Encoder, build_tokenizer, wrapped
from pipelines.training.store import Store

NAME = "snippets"
STEPS = 6500


@dataclass(frozen=True)
class Phase:
    """So many rows a step until this step, and what the tokens of a request weigh beside those of answers."""

    until: int
    rows: int
    asked: float


PHASES = (Phase(267, 16, 0.0), Phase(STEPS, 8, 0.3))
"""Smaller steps, and saying what is asked, came when copying names out of requests was slow to be learned."""
RATE = 4e-3  # of the matrices; of the embeddings a half
WARM_UP = 40  # steps
FALLS_FROM = 0.6  # share of a cycle's steps after which the rate falls to nothing in a line
CYCLES = ((1750, 1.0), (STEPS, 0.9))  # until which step, and how high the rate rises
SHAPE = {"hidden_size": 192, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 6}
LARGEST = 8_000_000  # bytes the exported folder may take


def build(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained model of two million weights, embeddings shared with the output."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            **SHAPE,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


class SnippetsLearner:
    """Trains on answers, and a little on what is asked; see PHASES."""

    name = NAME

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.seed, self.steps = chosen.seed, STEPS
        torch.manual_seed(self.seed)
        self.tokenizer = build_tokenizer(self.seed)
        self.encoder = Encoder(self.tokenizer)
        self.model = build(self.tokenizer)
        if chosen.begin_with:
            self.model = AutoModelForCausalLM.from_pretrained(chosen.begin_with, dtype=torch.float32)
        self.optimizers = Pair(self.model, between_layers(self.model.model.layers), (RATE, RATE / 2))

    def rate(self, number: int) -> float:
        """The share of the full rate at this step."""
        begin = 0
        for end, peak in CYCLES:
            if number < end:
                left = (end - number) / ((end - begin) * (1 - FALLS_FROM))
                return peak * min(1.0, (number - begin + 1) / WARM_UP, max(0.01, left))
            begin = end
        return 0.0

    def step(self, number: int) -> dict[str, float]:
        self.model.train()
        phase = next(phase for phase in PHASES if number < phase.until)
        batch = batches.draw(self.encoder, dice(self.seed, number), phase.rows)
        parts: dict[str, float] = {}

        def loss() -> Tensor:
            answered, asked = self._losses(batch)
            parts.update(loss=answered.item(), asked=asked.item())
            return answered + phase.asked * asked

        return self.optimizers.descend(loss, self.rate(number)) | parts

    def _losses(self, batch: batches.Batch) -> tuple[Tensor, Tensor]:
        """Means over the tokens of answers, and over those of what is asked."""
        hidden = self.model.model(
            input_ids=batch.ids, attention_mask=batch.sees, position_ids=batch.places, use_cache=False
        ).last_hidden_state
        answered, asked = (self._loss(hidden, batch, which) for which in (batch.answered, batch.asked))
        return answered, asked

    def _loss(self, hidden: Tensor, batch: batches.Batch, which: Tensor) -> Tensor:
        logits = self.model.lm_head(hidden[:, :-1][which[:, 1:]])
        return functional.cross_entropy(logits, batch.ids[:, 1:][which[:, 1:]])

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizers": self.optimizers.state(),
            "tokenizer": self.tokenizer.backend_tokenizer.to_str(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Its tokens too: a script that was changed meanwhile would learn others."""
        self.tokenizer = wrapped(Tokenizer.from_str(state["tokenizer"]))
        self.encoder = Encoder(self.tokenizer)
        self.model.load_state_dict(state["model"])
        self.optimizers.restore(state["optimizers"])

    def sample(self, path: Path) -> None:
        from pipelines.training.snippets.sheet import write

        write(self.model, self.tokenizer, path)


def export(learner: SnippetsLearner, store: Store, folder: Path) -> None:
    """float16 safetensors, the tokenizer, the recipe and the log."""
    save_half(learner.model, folder)
    learner.tokenizer.save_pretrained(folder)
    rows = [row for row in store.logged() if row["stage"] == NAME]
    recipe = {
        "scripts": "pipelines/training/snippets",
        "order": ["", "--export"],
        "phases": [asdict(phase) for phase in PHASES],
        "tokens a row": batches.ROOM,
        "rate": RATE,
        "vocabulary": VOCABULARY,
        "steps": rows[-1]["step"],
        "cycles": CYCLES,
        "cpu_seconds": round(rows[-1]["cpu_seconds"]),
        "seed": learner.seed,
        "python": _python(),
    }
    finish(folder, store, recipe, largest=LARGEST)


def _python() -> str:
    """Whose standard library was read."""
    import platform

    return platform.python_version()
