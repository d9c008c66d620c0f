"""Songbooks of random weights: a transformer and an LSTM that write what the grammar allows, at random."""

from pathlib import Path

import torch

from pipelines.music.networks import Recurrent, Transformer
from tests.families.cases import Case, Given


class Small(Transformer):
    layers, width, heads, inner = 1, 32, 2, 48


def save_transformer(folder: Path) -> Path:
    """A catalog file with the row of a transformer."""
    torch.manual_seed(0)
    weights = folder / "weights"
    Small.fresh().model.eval().save_pretrained(weights)
    return _row(weights, "songbook")


def save_lstm(folder: Path) -> Path:
    """A catalog file with the row of an LSTM."""
    torch.manual_seed(0)
    weights = folder / "weights"
    weights.mkdir(parents=True)
    Recurrent().save(weights)
    return _row(weights, "songbook_lstm")


def _row(weights: Path, name: str) -> Path:
    file = weights.parent / "models.toml"
    file.write_text(
        f"""
[[model]]
name = "tiny/{name}"
family = "songbook"
kinds = ["text-to-music", "continue-music"]
weights = "{weights}"
queue = "music"
"""
    )
    return file


WHY_ALONE = "its pieces are written one after the other"

CASES = [
    Case(
        "songbook",
        "songbook",
        save_transformer,
        {
            "text-to-music": {"prompt": "a slow waltz", "duration_seconds": 6},
            "continue-music": {"prompt": "", "duration_seconds": 4, "audio": Given("midi")},
        },
        alone=WHY_ALONE,
    ),
    Case(
        "songbook_lstm",
        "songbook",
        save_lstm,
        {"text-to-music": {"prompt": "a slow waltz", "duration_seconds": 6}},
        alone=WHY_ALONE,
    ),
]
