"""`python -m tests.families`: run every tiny model, and write the table of docs/families.md."""

import tempfile
from pathlib import Path

import torch

from pipelines.base import load_family
from pipelines.catalog import Catalog
from tests.families.trying import CASES, Loaded, Told, build, difference, run

PAGE = Path(__file__).parents[2] / "docs" / "families.md"
BEGIN, END = "<!-- measured by python -m tests.families -->\n", "<!-- end -->\n"
HEAD = (
    "| Family | Kinds | Most rows at once | Progress | Previews | A seed repeats | Alone and in a pair |\n"
    "|---|---|---|---|---|---|---|\n"
)


def row(loaded: Loaded, name: str) -> str:
    """One line of the table: what a family says of itself, and what was measured."""
    case = CASES[name]
    family = load_family(case.family)
    can = family.capabilities
    told, apart = Told(), []
    for kind in case.inputs:
        requests = [loaded.request(name, kind, number) for number in range(2)]
        alone = [run(loaded.get(name), [request], told)[0][0] for request in requests]
        if not case.alone:
            together = [outputs[0] for outputs in run(loaded.get(name), requests, Told())]
            apart += map(difference, alone, together)
    cells = [
        f"`{case.family}` ({name})" if name != case.family else f"`{name}`",
        ", ".join(case.inputs),
        can.max_batch,
        "each token" if can.serves else "each step",
        "yes" if can.previews else "the text itself" if can.streams else "no",
        "yes" if can.repeats else "no",
        case.alone or f"{max(apart):.1e}" if not case.serves else "not at all",
    ]
    return "| " + " | ".join(map(str, cells)) + " |\n"


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        loaded = Loaded(Catalog.load([build(Path(folder))]), Path(folder))
        table = HEAD + "".join(row(loaded, name) for name in CASES)
    print(table)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + "\n" + table + "\n" + END + rest.partition(END)[2])


main()
