"""`python -m tests.fuzz`: send machine-made requests until there were enough, and write docs/fuzz.md."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.report import PAGE, page
from tests.fuzz.run import Fuzzer
from tests.fuzz.stack import Stack, running_stack

ALL_PHASES = ("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "100")
MORE = ("--phases", "fuzzing,stateful", "--max-examples", "200")  # the coverage phase is the same every time


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="send at least this many")
    parser.add_argument("--seed", type=int, default=1, help="of the first round; each round has the next")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="atelier-fuzz-") as folder,
        running_stack(Path(folder)) as stack,
    ):
        return _rounds(stack, Path(folder), given.requests, given.seed)


def _rounds(stack: Stack, folder: Path, wanted: int, seed: int) -> int:
    """Run until enough was sent; the exit status."""
    fuzzer, options = Fuzzer(stack, folder), ALL_PHASES
    while (sent := fuzzer.tally.requests) < wanted:
        print(f"{sent:,} of {wanted:,} requests sent; the next round has seed {seed}", flush=True)
        run = fuzzer.run(*options, seed=seed)
        if not run.passed:
            print(run.output)
            return 1
        options, seed = MORE, seed + 1
    tally = fuzzer.tally
    PAGE.write_text(page(tally))
    print(
        f"{tally.requests:,} requests, {tally.accepted:,} accepted, {tally.server_errors} answered with 5xx"
    )
    return int(tally.server_errors > 0 or bool(stack.server_errors))


if __name__ == "__main__":
    sys.exit(main())
