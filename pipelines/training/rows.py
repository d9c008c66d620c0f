"""Writes the digests of the house models' folders into their rows of the catalog.

python -m pipelines.training.rows            # all of them
python -m pipelines.training.rows scenes     # these only
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pipelines.catalog import BUILT_IN, digest_folder


def renewed(catalog: str, house: Path, names: list[str]) -> str:
    """The catalog's text with the digests of these models' folders as they are; KeyError without a row."""
    for name in names:
        row = re.compile(rf'(?ms)(^name = "house/{re.escape(name)}"$(?:(?!^\[\[).)*?^sha256 = )"[0-9a-f]*"')
        digest = digest_folder(house / name)
        catalog, found = row.subn(lambda match, digest=digest: f'{match[1]}"{digest}"', catalog)
        if not found:
            raise KeyError(f'no row of "house/{name}" with a sha256')
    return catalog


def main(names: list[str]) -> None:
    house = BUILT_IN.parent / "house"
    names = names or sorted(folder.name for folder in house.iterdir() if folder.is_dir())
    BUILT_IN.write_text(renewed(BUILT_IN.read_text(), house, names))


if __name__ == "__main__":
    main(sys.argv[1:])
