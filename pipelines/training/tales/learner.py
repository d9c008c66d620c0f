"""Trains the tales model: exercises drawn anew at each step, packed into rows."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from pipelines.training.course import dice, rate
from pipelines.training.export import finish, save_half
from pipelines.training.optimizers import Pair, between_layers
from pipelines.training.store import Store
from pipelines.training.tales.exercises import draw
from pipelines.training.tales.telling import LONGEST, MIN_P, TEMPERATURE, Teller
from pipelines.training.tales.tokens import CONTEXT, Rows, Speller, build_tokenizer

CYCLES = ((5500, 1.0, 4.0), (20000, 1.0, 3.0), (22000, 0.3, 1.0))
"""The steps at which the rate of learning has fallen to its floor, from what share of the highest, and what a
word that was said before weighs until then."""
LAYERS = 4
GROWS_AT = CYCLES[0][0]
"""The step before which every second layer gets a new one behind it."""
EXERCISES = 16  # a step: about seven rows of 256 tokens
MATRIX_RATE, OTHER_RATE = 6e-3, 4e-3
WARM_UP = 40  # steps
SPREAD = 0.02  # of fresh weights
COPYING = 0.06  # what a head adds of the word that it looks at, about as much as that word's embedding
LARGEST = 7_000_000  # bytes the exported folder may take


def build(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained model of two million weights, embeddings shared with the output, ready to copy."""
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=192,
            intermediate_size=512,
            num_hidden_layers=LAYERS,
            num_attention_heads=4,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            initializer_range=SPREAD,
        )
    )
    nn.init.normal_(model.model.embed_tokens.weight, std=COPYING)
    for layer in model.model.layers:
        _ready_to_copy(layer.self_attn)
    return model


@torch.no_grad()
def grown(model: LlamaForCausalLM) -> LlamaForCausalLM:
    """The same with a new layer behind every second one, half as many again. A new layer adds nothing at
    first, because what it gives out begins as zero, so that what was learned stays (after Gong et al. 2019,
    progressive stacking, and Zhang et al. 2019, residual branches that begin as zero).
    """
    config = deepcopy(model.config)
    config.num_hidden_layers += config.num_hidden_layers // 2
    larger = LlamaForCausalLM(config)
    larger.model.embed_tokens.load_state_dict(model.model.embed_tokens.state_dict())
    larger.model.norm.load_state_dict(model.model.norm.state_dict())
    old = iter(model.model.layers)
    for place, layer in enumerate(larger.model.layers):
        if place % 3 < 2:
            layer.load_state_dict(next(old).state_dict())
        else:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
    return larger


@torch.no_grad()
def _ready_to_copy(attention: nn.Module) -> None:
    """Values and outputs begin as an orthogonal matrix and its transpose, so that a head that looks at a word
    says this word (after Trockman and Kolter 2023, mimetic initialization). What is left to learn is where to
    look; from nothing, copying the words of a request came only after many hundred steps."""
    side = attention.v_proj.weight.shape[1]
    turned = nn.init.orthogonal_(torch.empty(side, side)) * COPYING**0.5
    attention.v_proj.weight.copy_(turned)
    attention.o_proj.weight.copy_(turned.T)


def loss(logits: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy in nats, the mean over tokens by their weights.

    A word that was said before, the fox of the request or the helper of two sentences ago, mostly has to be
    that one, and an answer with another one is wrong. One token in ten is such a word, and most of the loss
    lies between them, where the grammar leaves a choice: they are learned much sooner if they weigh more.
    That makes them a little likelier, too, where something else may stand: the last cycle weighs all alike.

    logits: (rows, tokens, vocabulary). ids, weights: (rows, tokens); a weight of 0 is only read.
    """
    weights = weights[:, 1:]
    learned = weights > 0
    losses = cross_entropy(logits[:, :-1][learned].float(), ids[:, 1:][learned], reduction="none")
    return (losses * weights[learned]).sum() / weights.sum()


class Tales:
    """`begin_with`: a folder of exported weights to go on from."""

    name = "tales"

    def __init__(self, seed: int = 0, steps: int = CYCLES[-1][0], begin_with: Path | None = None) -> None:
        torch.manual_seed(seed)
        self.seed, self.steps = seed, steps
        self.tokenizer = (
            PreTrainedTokenizerFast.from_pretrained(begin_with) if begin_with else build_tokenizer(seed)
        )
        self.speller = Speller(self.tokenizer)
        self._learn(LlamaForCausalLM.from_pretrained(begin_with) if begin_with else build(self.tokenizer))

    def _learn(self, model: LlamaForCausalLM) -> None:
        self.model = model
        self.optimizers = Pair(model, between_layers(model.model.layers), (MATRIX_RATE, OTHER_RATE))

    def step(self, number: int) -> dict[str, float]:
        rows = self.batch(number)
        if number == GROWS_AT and len(self.model.model.layers) == LAYERS:
            self._learn(grown(self.model))
        self.model.train()
        share, said = self.course(number)
        weights = torch.tensor([0.0, 1.0, said])[rows.pop("learned")]
        return self.optimizers.descend(
            lambda: loss(self.model(**rows).logits, rows["input_ids"], weights), share
        )

    def course(self, number: int) -> tuple[float, float]:
        """Of this step: the share of the full rate, and what a word that was said before weighs."""
        falls = pairwise(((0, 0.0, 0.0), *CYCLES))
        begin, end, peak, said = next((a, *cycle) for (a, *_), cycle in falls if number < cycle[0])
        return rate(number - begin, min(end, self.steps) - begin, peak, warm_up=WARM_UP), said

    def batch(self, number: int) -> dict[str, Tensor]:
        """The rows of one step."""
        thrown = dice(self.seed, number)
        return Rows([self.speller.spell(draw(thrown)) for _ in range(EXERCISES)]).tensors()

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "optimizers": self.optimizers.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        if len(state["model"]) > len(self.model.state_dict()):
            self._learn(grown(self.model))
        self.model.load_state_dict(state["model"])
        self.optimizers.restore(state["optimizers"])

    def sample(self, path: Path) -> None:
        """A page of what it says now."""
        self.model.eval()
        thrown = dice(self.seed + 1, 0)
        exercises = [draw(thrown) for _ in range(8)]
        made = Teller(self.model, self.tokenizer).tell(exercises, seed=0)
        page([f"{one.turns[-1][-200:]} >>> {text}" for one, text in zip(exercises, made, strict=True)], path)


def page(texts: list[str], path: Path) -> None:
    """A PNG of texts, one below the other."""
    import textwrap

    lines = [line for text in texts for line in [*textwrap.wrap(text, 120), ""]]
    picture = Image.new("RGB", (760, 14 * len(lines) + 16), "white")
    font = ImageFont.load_default(11)
    ImageDraw.Draw(picture).multiline_text((8, 8), "\n".join(lines), fill="black", font=font, spacing=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def export(learner: Tales, store: Store, folder: Path) -> None:
    """float16 safetensors in transformers' layout, the tokenizer with its chat template, recipe and log."""
    save_half(learner.model, folder)
    learner.tokenizer.save_pretrained(folder)
    rows = store.logged()
    recipe = {
        "command": "python -m pipelines.training.tales",
        "steps": rows[-1]["step"] if rows else 0,
        "of": learner.steps,
        "cpu_seconds": round(rows[-1]["cpu_seconds"]) if rows else 0,
        "exercises_per_step": EXERCISES,
        "optimizers": {"matrices": ["Muon", MATRIX_RATE], "others": ["AdamW", OTHER_RATE]},
        "tokens": len(learner.tokenizer),
        "seed": learner.seed,
        "defaults": {"temperature": TEMPERATURE, "min_p": MIN_P, "max_tokens": LONGEST},
    }
    finish(folder, store, recipe, largest=LARGEST)
