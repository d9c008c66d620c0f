"""The loop that one would write by hand: batches of eight, files written beside the next batch.

Reads orders from its input, `COUNT FOLDER` a line, and prints how many seconds each has taken. What the other
rivals need of it, the model and the file, is here too.
"""

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from pipelines.catalog import Catalog

MODEL = "house/scenes"
BATCH = 8
STYLES = ("an oil painting of", "a drawing of", "pixel art of", "a photo of")
THINGS = ("a red house on a green hill", "two trees beside a lake", "a boat at sea, at night", "a yellow sun")


def prompt_of(number: int) -> str:
    """What is asked for, with its number as the seed."""
    return f"{STYLES[number % len(STYLES)]} {THINGS[number // len(STYLES) % len(THINGS)]}"


class Maker:
    """The model in this process, as its catalog row says, on as many threads as torch takes."""

    def __init__(self) -> None:
        row = Catalog.load().get(MODEL)
        self._defaults = row.defaults
        self._pipe = StableDiffusionPipeline.from_pretrained(
            row.weights,
            dtype=torch.float32,
            local_files_only=True,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        self._pipe.set_progress_bar_config(disable=True)

    def make(self, numbers: Sequence[int]) -> list[Image.Image]:
        """A picture for each number."""
        with torch.inference_mode():
            made = self._pipe(
                [prompt_of(number) for number in numbers],
                generator=[torch.Generator("cpu").manual_seed(number) for number in numbers],
                num_inference_steps=self._defaults["steps"],
                guidance_scale=self._defaults["guidance"],
                width=self._defaults["width"],
                height=self._defaults["height"],
            )
        return list(made.images)


def write(picture: Image.Image, file: Path) -> None:
    """As PNG, on disk when this returns."""
    with file.open("wb") as opened:
        picture.save(opened, "PNG")
        opened.flush()
        os.fsync(opened.fileno())


def loop(maker: Maker, count: int, folder: Path) -> None:
    """So many files; returns when the last is on disk."""
    with ThreadPoolExecutor(1) as writer:
        written = []
        for start in range(0, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            for number, picture in zip(numbers, maker.make(numbers), strict=True):
                written.append(writer.submit(write, picture, folder / f"{number}.png"))
        for each in written:
            each.result()


def main() -> None:
    """Until the input ends."""
    maker = Maker()
    for line in sys.stdin:
        count, folder = line.split()
        begun = time.perf_counter()
        loop(maker, int(count), Path(folder))
        print(time.perf_counter() - begun, flush=True)


if __name__ == "__main__":
    main()
