"""`make soak`: faults come and go under a steady load; nothing is lost or doubled, and no memory grows."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.soak.report import write
from tests.chaos.soak.soak import Soak


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-second", type=float, default=3.0, help="jobs that are submitted in a second")
    parser.add_argument("--docs", type=Path, help="folder to put the report into")
    options = parser.parse_args(argv)
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)

    folder = Path(tempfile.mkdtemp(prefix="atl-soak-"))
    soak = Soak(folder, minutes=options.minutes, seed=options.seed, per_second=options.per_second, tell=tell)
    try:
        soaked = soak.run()
    finally:
        soak.stop()
    page = write(soaked)
    if options.docs:
        (options.docs / "soak.md").write_text(page)
    print(page)
    tell("\n".join(soaked.problems) or "all is well")
    return int(bool(soaked.problems))


if __name__ == "__main__":
    sys.exit(main())
