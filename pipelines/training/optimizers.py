"""How the small transformers learn: Muon for the matrices between the layers, AdamW for all else.

Muon (Jordan 2024, "Muon: an optimizer for hidden layers in neural networks") makes the direction of each
matrix's momentum orthogonal; it takes about half the steps that AdamW does on models this small. The size of
its step is that which AdamW would have at the same rate (Moonshot 2025).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

MOST = 1.0  # length that a gradient is cut to


@contextmanager
def half_products() -> Iterator[None]:
    """Within it a denoiser's products are taken in bfloat16; weights and sums stay float32. A step takes two
    thirds of the time on processors that have such products, if attention is written out: torch's own flash
    attention is slow backwards in bfloat16."""
    with torch.autocast("cpu", dtype=torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        yield


class Pair:
    """Both optimizers of one model. `matrices`: what Muon gets; `rates`: the highest of either."""

    def __init__(self, model: nn.Module, matrices: Sequence[Tensor], rates: tuple[float, float]) -> None:
        self.model, self.rates = model, rates
        others = [weight for weight in model.parameters() if all(weight is not one for one in matrices)]
        self.optimizers: tuple[torch.optim.Optimizer, ...] = (
            torch.optim.Muon(matrices, lr=rates[0], weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=rates[1], betas=(0.9, 0.95), weight_decay=0.0),
        )

    def descend(self, loss: Callable[[], Tensor], share: float) -> dict[str, float]:
        """One step at that share of the highest rates. Products are taken in bfloat16, which halves the time
        on processors that have them; weights, sums and the loss stay float32."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss()
        self.model.zero_grad()
        value.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), MOST)
        for optimizer, rate in zip(self.optimizers, self.rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * share
            optimizer.step()
        return {"loss": value.item(), "norm": float(norm)}

    def state(self) -> list[dict[str, Any]]:
        return [optimizer.state_dict() for optimizer in self.optimizers]

    def restore(self, state: list[dict[str, Any]]) -> None:
        for optimizer, kept in zip(self.optimizers, state, strict=True):
            optimizer.load_state_dict(kept)


def between_layers(layers: nn.Module) -> list[Tensor]:
    """The matrices of a transformer's layers: neither its embeddings nor its gains."""
    return [weight for weight in layers.parameters() if weight.ndim == 2]
