"""`python -m pipelines.provenance FILE [--anchors PEM …]`: what made a file, as one JSON object.

`atelier verify` asks it in a process of its own, since it loads what the command does not.
"""

import argparse
import sys
from pathlib import Path

from pipelines.provenance.examine import as_json, examine


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.provenance", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--anchors", type=Path, action="append", default=[], help="trusted certificates, PEM")
    given = parser.parse_args()
    try:
        anchors = b"".join(path.read_bytes() for path in given.anchors)
        print(as_json(examine(given.file, anchors)))
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
