"""The transformer and the LSTM in training: the same pieces, words, loss and optimizer for both."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from pipelines.music.networks import Recurrent, Transformer
from pipelines.music.writer import Writer
from pipelines.training import course
from pipelines.training.export import finish, save_half
from pipelines.training.optimizers import Pair
from pipelines.training.songbook.evaluate import held_out_wishes
from pipelines.training.songbook.pieces import GROUP, NOTHING, Pieces
from pipelines.training.songbook.samples import rolls
from pipelines.training.store import Store

BATCH = 8
GROUPS = 40
"""Groups of the stock of pieces; then it begins anew, in another order."""
FIRST = 1000
"""Steps of the first course."""
LARGEST = 4_000_000
"""Bytes that an exported folder may take."""


class Songwriter:
    """Learns to say the next word of composed pieces."""

    name: ClassVar[str]
    command: ClassVar[str]
    steps: int
    peak: ClassVar[float]

    def __init__(self, chosen: argparse.Namespace) -> None:
        torch.manual_seed(chosen.seed)
        self.seed = chosen.seed
        self.pieces = Pieces(Path("var/training/songbook-pieces"), chosen.seed, GROUPS, BATCH)
        self.network, self.model = self.fresh()
        if chosen.begin_with:
            self.model.load_state_dict(_weights(chosen.begin_with))
        self.optimizers = Pair(self.model, _matrices(self.model), (self.peak, self.peak))

    def fresh(self) -> tuple[Any, nn.Module]:
        """The network, and the module that holds its weights."""
        raise NotImplementedError

    def step(self, number: int) -> dict[str, float]:
        course.dice(self.seed, number)
        words = self.pieces.step(number)
        self.model.train()

        def loss() -> torch.Tensor:
            said = self.network.logits(words[:, :-1]).flatten(0, 1)
            return nn.functional.cross_entropy(said, words[:, 1:].flatten(), ignore_index=NOTHING)

        return self.optimizers.descend(loss, self.rate(number))

    def rate(self, number: int) -> float:
        """The share of the highest rate: a course of FIRST steps; a second, if any, at a quarter of it."""
        if number < FIRST:
            return course.rate(number, FIRST, 1.0, warm_up=40)
        return course.rate(number - FIRST, self.steps - FIRST, 0.25, warm_up=40)

    def state(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "optimizers": self.optimizers.state()}

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizers.restore(state["optimizers"])

    def sample(self, path: Path) -> None:
        """Piano rolls of three held-out wishes."""
        self.model.eval()
        wishes = held_out_wishes(3, seed=77)
        rolls(Writer(self.network).write(wishes, range(3)), path)


class TransformerLearner(Songwriter):
    name = command = "songbook"
    steps = 1300
    peak = 4e-3

    def fresh(self) -> tuple[Any, nn.Module]:
        network = Transformer.fresh()
        return network, network.model


class LSTMLearner(Songwriter):
    name, command = "songbook-lstm", "songbook.lstm"
    steps = 1100
    peak = 4e-3

    def fresh(self) -> tuple[Any, nn.Module]:
        network = Recurrent()
        return network, network


def _matrices(model: nn.Module) -> list[torch.Tensor]:
    """Those between the layers: all but the table of words."""
    table = model.get_input_embeddings().weight
    return [weight for weight in model.parameters() if weight.dim() == 2 and weight is not table]


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    from pipelines.music import networks

    network: Any = networks.load(folder)
    return getattr(network, "model", network).state_dict()


def export(learner: Songwriter, store: Store, folder: Path) -> None:
    """The network in its layout, the recipe and the log."""
    if isinstance(learner.network, Transformer):
        save_half(learner.model, folder)
    else:
        learner.network.save(folder)
    recipe = {
        "command": f"python -m pipelines.training.{learner.command}",
        "seed": learner.seed,
        "steps": learner.steps,
        "steps of the first course": FIRST,
        "pieces a step": BATCH,
        "pieces": GROUP * GROUPS,
        "peak rate": learner.peak,
        "weights": sum(weight.numel() for weight in learner.model.parameters()),
    }
    finish(folder, store, recipe, largest=LARGEST)
