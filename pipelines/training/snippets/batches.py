"""Examples laid side by side in rows, none of which sees its neighbours."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.training.snippets.texts import example
from pipelines.training.snippets.tokens import Encoder

ROOM = 256  # tokens a row; a row of them holds about three examples


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
    """Rows of fresh examples; what does not fit into a row any more begins the next."""
    ids = torch.zeros(rows, ROOM, dtype=torch.long)
    places, owners = torch.zeros_like(ids), torch.zeros_like(ids)
    answered = torch.zeros_like(ids, dtype=torch.bool)
    row, used, number = 0, 0, 0
    while row < rows:
        tokens, begin = encoder.encode(example(dice))
        if len(tokens) > ROOM:
            continue
        if used + len(tokens) > ROOM:
            row, used = row + 1, 0
            if row == rows:
                break
        number += 1
        here = slice(used, used + len(tokens))
        ids[row, here] = torch.tensor(tokens)
        places[row, here] = torch.arange(len(tokens))
        owners[row, here] = number
        answered[row, used + begin : used + len(tokens)] = True
        used += len(tokens)
    sees = (owners[:, :, None] == owners[:, None, :]) & torch.ones(ROOM, ROOM, dtype=torch.bool).tril()
    return Batch(ids, places, sees[:, None], answered, (places > 0) & ~answered)
