"""`make watermark`: measure the watermark on thousands of pictures, and write docs/watermark.md."""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.watermark.measure import Trial, look, mark_and_look
from tests.watermark.page import page, shortcomings

PAGE = Path(__file__).parents[2] / "docs" / "watermark.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.watermark", description=__doc__)
    parser.add_argument("--unmarked", type=int, default=2000, help="pictures without a mark")
    parser.add_argument("--marked", type=int, default=300, help="pictures that are marked and edited")
    parser.add_argument("--seed", type=int, default=7, help="of the pictures")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many share the work")
    given = parser.parse_args()
    with ProcessPoolExecutor(given.processes) as pool:
        unmarked = list(pool.map(partial(look, seed=given.seed), range(given.unmarked), chunksize=10))
        marked: list[Trial] = []
        for trials in pool.map(partial(mark_and_look, seed=given.seed), range(given.marked), chunksize=5):
            marked += trials
    PAGE.write_text(page(unmarked, marked, given.seed))
    for shortcoming in shortcomings(unmarked, marked):
        print(shortcoming)
    return int(bool(shortcomings(unmarked, marked)))


if __name__ == "__main__":
    sys.exit(main())
