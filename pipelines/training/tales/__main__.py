"""`python -m pipelines.training.tales`: see `pipelines.training.course`."""

from pipelines.training.course import main
from pipelines.training.tales.evaluate import evaluate
from pipelines.training.tales.learner import Tales, export

main(
    lambda chosen: Tales(chosen.seed, begin_with=chosen.begin_with),
    name="tales",
    export=export,
    evaluate=evaluate,
    count=300,
)
