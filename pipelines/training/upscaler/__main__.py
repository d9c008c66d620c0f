"""python -m pipelines.training.upscaler: see `course` for the options."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from pipelines.training import course
from pipelines.training.course import Learner
from pipelines.training.export import finish, save_half
from pipelines.training.store import Store
from pipelines.training.upscaler import drawing, faults, recipe
from pipelines.training.upscaler.evaluate import evaluate

LARGEST = 3_000_000  # bytes the folder may take


def export(learner: Learner, store: Store, folder: Path) -> None:
    """The averaged weights, in the layout of transformers."""
    upscaler = cast(recipe.Upscaler, learner)
    save_half(upscaler.averaged(), folder)
    finish(folder, store, told(upscaler), largest=LARGEST)


def told(learner: recipe.Upscaler) -> dict[str, object]:
    """All that a second training needs to know, read from the code that did the first."""
    return {
        "command": f"python -m pipelines.training.upscaler --seed {learner.seed}",
        "cycles of steps and rate": recipe.CYCLES,
        "pictures a step": recipe.PICTURES,
        "crops a picture": recipe.CROPS,
        "crop": recipe.CROP,
        "warm up": recipe.WARM_UP,
        "average": recipe.AVERAGE,
        "loose scenes": drawing.LOOSE_SHARE,
        "faults": {"softest": faults.SOFTEST, "uneven": faults.UNEVEN, "grain": faults.GRAIN},
    }


if __name__ == "__main__":
    course.main(
        lambda chosen: recipe.Upscaler(chosen.seed),
        name="upscaler",
        export=export,
        evaluate=evaluate,
        count=500,
    )
