"""python -m pipelines.training.motion --resume: see `pipelines.training.course`."""

from __future__ import annotations

from pipelines.training import course
from pipelines.training.motion.evaluate import report
from pipelines.training.motion.export import export
from pipelines.training.motion.learner import SCENES, Motion
from pipelines.training.store import Store


def main() -> None:
    course.main(
        lambda chosen: Motion(Store(chosen.store), chosen.begin_with or SCENES, chosen.seed),
        name="motion",
        export=export,
        evaluate=report,
        count=100,
    )


if __name__ == "__main__":
    main()
