"""Several single-threaded processes that train one model together, a gradient exchange a step.

Two processes of one thread bear a busy machine far better than one process of two threads, whose every
operation waits for the slower thread. Start a team with `python -m torch.distributed.run --nproc-per-node 2
-m <script>`; a script that is started alone is a team of one.
"""

from __future__ import annotations

import os

import torch
from torch import nn


class Team:
    """This process's rank, and what all members agree on: gradients, and the share of time spent."""

    def __init__(self) -> None:
        self.rank, self.size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        self.share = 0.0  # of the training time; the same number in every member
        if self.size > 1:
            torch.distributed.init_process_group("gloo")

    @property
    def leads(self) -> bool:
        """Whether this member logs and saves."""
        return self.rank == 0

    def part(self, batch: int) -> int:
        """This member's part of a batch."""
        return batch // self.size

    def agree(self, model: nn.Module, share: float) -> None:
        """Averages the gradients in place, and `share` into `self.share`."""
        if self.size == 1:
            self.share = share
            return
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients] + [torch.tensor([share])])
        torch.distributed.all_reduce(flat)
        flat /= self.size
        self.share, at = flat[-1].item(), 0
        for gradient in gradients:
            gradient.copy_(flat[at : at + gradient.numel()].view_as(gradient))
            at += gradient.numel()

    def leave(self) -> None:
        if self.size > 1:
            torch.distributed.destroy_process_group()
