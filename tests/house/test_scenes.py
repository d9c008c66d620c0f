"""house/scenes paints what it is told, of combinations that it never met, in each of its styles."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.base import Request, load_pipeline
from pipelines.catalog import Catalog
from pipelines.training.figures import wilson
from pipelines.training.scenes.captions import Said, Wording
from pipelines.training.scenes.draw import draw
from pipelines.training.scenes.evaluate import evaluate, held_out_prompts
from pipelines.training.scenes.exam import examine
from pipelines.training.scenes.judge import obeys
from pipelines.training.scenes.vocabulary import STYLES, Scene, Thing

NAME = "house/scenes"
CATALOG = Catalog.load()
FOLDER = CATALOG.get(NAME).weights
LEAST_FLAT, LEAST_STYLED = 0.9, 0.75  # of the quick tests' prompts; the figures are in the card


def ask(
    kind: str, prompts: list[str], files: dict[str, Path] | None = None, **inputs: Any
) -> list[np.ndarray]:
    """One picture a prompt, made by the family that serves the model, with the row's defaults."""
    files = files or {}
    raw = {**inputs, **{field: {"upload": field} for field in files}}
    requests = [
        Request(str(i), kind, CATALOG.resolve(kind, NAME, {"prompt": words, "seed": i, **raw}).inputs, files)
        for i, words in enumerate(prompts)
    ]
    pipeline = load_pipeline(CATALOG.get(NAME), "cpu")
    made = pipeline.run(requests, lambda step, total, previews=None: set())
    return [np.asarray(output.value) for (output,) in made]


def test_the_judge_passes_true_drawings_and_refuses_swapped_ones() -> None:
    passed, wrongly_passed = examine(300, seed=31)
    assert passed >= 0.99
    assert wrongly_passed <= 0.05


def painted(prompts: list[Wording]) -> float:
    pictures = ask("text-to-image", [words.text for words in prompts])
    return sum(obeys(*pair) for pair in zip(pictures, prompts, strict=True)) / len(prompts)


def test_it_paints_held_out_combinations_as_they_are_told() -> None:
    assert painted(held_out_prompts(24, 1, seed=12, style="flat")) >= LEAST_FLAT


def test_it_paints_in_styles() -> None:
    """92 % were measured of a hundred, below the 95 % that are aimed at; twenty may show fewer."""
    prompts = [words for style in STYLES[1:] for words in held_out_prompts(5, 1, seed=12, style=style)]
    assert painted(prompts) >= LEAST_STYLED


def test_what_is_inpainted_is_there_and_the_rest_is_as_it_was(tmp_path: Path) -> None:
    old = draw(Scene((Thing("circle", "red", "left", 20),), "night"), 3)
    mask = np.zeros((64, 64), np.uint8)
    mask[16:50, 36:] = 255
    files = {"image": tmp_path / "old.png", "mask": tmp_path / "mask.png"}
    Image.fromarray(old).save(files["image"])
    Image.fromarray(mask).save(files["mask"])
    wording = Wording("", (Said("circle", "red", "left"), Said("square", "yellow", "right")), "night")

    prompt = "a red circle on the left and a yellow square on the right, night"
    pictures = ask("inpaint", [prompt] * 6, files)

    assert all((picture[mask == 0] == old[mask == 0]).all() for picture in pictures)
    assert sum(obeys(picture, wording) for picture in pictures) >= 3


def test_the_same_seed_paints_the_same_picture() -> None:
    one, other = ask("text-to-image", ["a blue boat at sea, watercolour"] * 2, steps=4)
    (again,) = ask("text-to-image", ["a blue boat at sea, watercolour"], steps=4)
    assert np.abs(one.astype(int) - again).max() <= 1  # in another bucket rounding may differ
    assert np.abs(one.astype(int) - other).max() > 1


@pytest.mark.slow
def test_the_card_quotes_what_is_measured() -> None:
    written = json.loads((FOLDER / "evaluation.json").read_text())
    measured = evaluate(FOLDER, written["one thing, flat"]["of"], seed=0)
    for name, figure in written.items():
        if isinstance(figure, dict) and "low" in figure:
            low, high = wilson(measured[name]["passed"], measured[name]["of"])
            assert low <= figure["share"] <= high, name
