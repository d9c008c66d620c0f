"""`python -m pipelines.training.songbook`: the transformer. See `pipelines.training.course`."""

from pipelines.training.course import main
from pipelines.training.songbook.evaluate import evaluate
from pipelines.training.songbook.learner import TransformerLearner, export

main(TransformerLearner, name="songbook", export=export, evaluate=evaluate)
