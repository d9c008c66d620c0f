"""Answers of the model to requests, through the very family that serves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from pipelines.base import Output, Request
from pipelines.errors import PipelineError
from pipelines.families.causal_lm import CausalLM
from pipelines.kinds.texts import Code


class _Kept:
    """An emitter that keeps what is made."""

    def __init__(self) -> None:
        self.made: dict[str, list[Output]] = {}

    def delta(self, request: Request, index: int, text: str) -> None:
        pass

    def progress(self, request: Request, step: int, total: int) -> None:
        pass

    def stopped(self, request: Request) -> bool:
        return False

    def done(self, request: Request, outputs: list[Output]) -> None:
        self.made[request.id] = outputs

    def failed(self, request: Request, error: PipelineError) -> None:
        raise error


def write(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    asked: Code,
    *,
    seeds: Sequence[int],
    temperature: float,
    tokens: int = 220,
) -> list[str]:
    """An answer for each seed."""
    return answers(CausalLM(model.eval(), tokenizer, lines=32), [(asked, list(seeds))], temperature, tokens)[
        0
    ]


def answers(
    family: Any, asked: Sequence[tuple[Code, Sequence[int]]], temperature: float, tokens: int = 220
) -> list[list[str]]:
    """For each request an answer for each of its seeds, all computed side by side."""
    requests = [
        Request(
            f"{number} {seed}",
            "code",
            one.model_copy(update={"seed": seed, "temperature": temperature, "max_tokens": tokens, "n": 1}),
            {},
            False,
        )
        for number, (one, seeds) in enumerate(asked)
        for seed in seeds
    ]
    kept = _Kept()
    family.serve(requests, kept)
    return [
        [kept.made[f"{number} {seed}"][0].value for seed in seeds] for number, (_, seeds) in enumerate(asked)
    ]
