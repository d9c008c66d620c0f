"""Examples laid side by side in rows, none of which sees its neighbours."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.training.snippets.texts import example
from pipelines.training.snippets.tokens import Encoder

ROOM = 256  # tokens a row; it holds about three examples
LEFT_OUT = 3  # examples that fit into no row end the search for more


@dataclass(frozen=True)
class Batch:
    """(rows, ROOM) ids and places within the example, (rows, 1, ROOM, ROOM) what may see what, which tokens
    are of answers, and which of what is asked."""

    ids: Tensor
    places: Tensor
    sees: Tensor
    answered: Tensor
    asked: Tensor


def draw(encoder: Encoder, dice: random.Random, rows: int) -> Batch:
    """Rows of fresh examples, each in the first row where it fits, until three fit nowhere."""
    ids = torch.zeros(rows, ROOM, dtype=torch.long)
    places, owners = torch.zeros_like(ids), torch.zeros_like(ids)
    answered = torch.zeros_like(ids, dtype=torch.bool)
    used, number, left_out = [0] * rows, 0, 0
    while left_out < LEFT_OUT:
        tokens, begin = encoder.encode(example(dice))
        row = next((row for row in range(rows) if used[row] + len(tokens) <= ROOM), None)
        if row is None:
            left_out += 1
            continue
        number += 1
        here = slice(used[row], used[row] + len(tokens))
        ids[row, here] = torch.tensor(tokens)
        places[row, here] = torch.arange(len(tokens))
        owners[row, here] = number
        answered[row, used[row] + begin : used[row] + len(tokens)] = True
        used[row] += len(tokens)
    sees = (owners[:, :, None] == owners[:, None, :]) & torch.ones(ROOM, ROOM, dtype=torch.bool).tril()
    return Batch(ids, places, sees[:, None], answered, (places > 0) & ~answered)
