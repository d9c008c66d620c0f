"""Machine-made requests from the API's own description: no server error, and every answer as described."""

from pathlib import Path

from tests.fuzz.run import Fuzzer
from tests.fuzz.stack import running_stack

LEAST = 400  # requests
LEAST_ACCEPTED = 0.3


def test_a_short_run(tmp_path: Path) -> None:
    """`make fuzz` is the long one."""
    with running_stack(tmp_path) as stack:
        fuzzer = Fuzzer(stack, tmp_path)
        run = fuzzer.run("--phases", "fuzzing", "--max-examples", "20", seed=1)
        assert run.passed, run.output
        tally = fuzzer.tally
        assert tally.requests >= LEAST
        assert tally.accepted >= LEAST_ACCEPTED * tally.requests
        assert tally.server_errors == 0
        assert stack.server_errors == []
