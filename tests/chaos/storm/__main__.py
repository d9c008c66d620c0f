"""`make storm`: many jobs under many kills, then a judgement of every single one."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.storm.checks import judge
from tests.chaos.storm.evidence import Evidence
from tests.chaos.storm.picture import draw
from tests.chaos.storm.report import write
from tests.chaos.storm.size import Size
from tests.chaos.storm.storm import Storm

SHOWN = 20
"""Problems of one check that are printed."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make storm", description=__doc__)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--kills", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=60.0, help="submit and kill no longer than this")
    parser.add_argument("--folder", type=Path, help="where everything is kept; give it again to go on")
    parser.add_argument("--docs", type=Path, help="folder to put the report into, too")
    options = parser.parse_args(argv)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="atl-storm-"))
    folder.mkdir(parents=True, exist_ok=True)
    size = Size(
        jobs=options.jobs,
        kills=options.kills,
        seed=options.seed,
        workers=options.workers,
        minutes=options.minutes,
    )
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)

    storm = Storm(folder, size, tell)
    try:
        storm.run()
        tell("all parts are quiet; judging every job")
        evidence = Evidence.gather(storm.deployment, storm.ledgers)
        judgement = judge(evidence, storm.deployment, size.seed)
    finally:
        storm.stop()
    (folder / "storm.svg").write_text(draw(evidence))
    (folder / "storm.md").write_text(write(evidence, judgement, size))
    if options.docs:
        for name in ("storm.md", "storm.svg"):
            (options.docs / name).write_text((folder / name).read_text())
    for check, problems in judgement.items():
        tell(f"{check.replace('_', ' ')}: {f'{len(problems)} times not' if problems else 'yes'}")
        print("".join(f"          {problem}\n" for problem in problems[:SHOWN]), end="")
    return int(any(judgement.values()))


if __name__ == "__main__":
    sys.exit(main())
