"""python -m pipelines.training.scenes: trains the scenes model, or exports or measures it."""

from pipelines.training.course import main
from pipelines.training.scenes.evaluate import evaluate
from pipelines.training.scenes.export import export
from pipelines.training.scenes.learner import Scenes

if __name__ == "__main__":
    main(
        lambda chosen: Scenes(chosen.seed, chosen.begin_with),
        name="scenes",
        export=export,
        evaluate=evaluate,
    )
