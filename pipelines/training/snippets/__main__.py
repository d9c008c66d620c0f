"""`python -m pipelines.training.snippets`: see `pipelines.training.course`."""

from pipelines.training.course import main
from pipelines.training.snippets.evaluate import evaluate
from pipelines.training.snippets.learner import NAME, SnippetsLearner, export

if __name__ == "__main__":
    main(SnippetsLearner, name=NAME, export=export, evaluate=evaluate, count=500)
