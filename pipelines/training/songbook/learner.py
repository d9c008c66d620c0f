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
from pipelines.training.muon import Muon
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
        self.optimizers = _optimizers(self.model, self.peak)

    def fresh(self) -> tuple[Any, nn.Module]:
        """The network, and the module that holds its weights."""
        raise NotImplementedError

    def step(self, number: int) -> dict[str, float]:
        course.dice(self.seed, number)
        words = self.pieces.step(number)
        rate = self.rate(number)
        self.model.train()
        said = self.network.logits(words[:, :-1])
        loss = nn.functional.cross_entropy(said.flatten(0, 1), words[:, 1:].flatten(), ignore_index=NOTHING)
        self.model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        return {"loss": loss.item()}

    def rate(self, number: int) -> float:
        """A course of FIRST steps, and where the recipe has more, a second at a quarter of the rate."""
        if number < FIRST:
            return course.rate(number, FIRST, self.peak, warm_up=40)
        return course.rate(number - FIRST, self.steps - FIRST, self.peak / 4, warm_up=40)

    def state(self) -> dict[str, Any]:
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        return {"model": self.model.state_dict(), "optimizers": optimizers}

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)

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


def _optimizers(model: nn.Module, peak: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between the layers, AdamW for the table of words and what is no matrix."""
    table = model.get_input_embeddings().weight
    inner = [weight for weight in model.parameters() if weight.dim() == 2 and weight is not table]
    rest = [weight for weight in model.parameters() if weight.dim() != 2]
    return [
        Muon(inner, lr=peak),
        torch.optim.AdamW([table, *rest], lr=peak, betas=(0.9, 0.95), weight_decay=0),
    ]


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
