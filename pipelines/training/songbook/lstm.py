"""`python -m pipelines.training.songbook.lstm`: the LSTM, to compare. See `pipelines.training.course`."""

from pipelines.training.course import main
from pipelines.training.songbook.evaluate import evaluate
from pipelines.training.songbook.learner import LSTMLearner, export

if __name__ == "__main__":
    main(LSTMLearner, name="songbook-lstm", export=export, evaluate=evaluate)
