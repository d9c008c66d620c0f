"""Tables: as wide as the terminal, where there is one; plain in a pipe, so that `grep` and `awk` work."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from atelier.cli.harmless import harmless


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as their widest cell, two spaces apart."""
    if sys.stdout.isatty():
        _print_for_people(head, rows)
        return
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_for_people(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    cells = [[harmless(str(cell), sys.stdout) for cell in row] for row in rows]
    # The first names what the row is about, and is copied into other commands: it keeps its length.
    table.add_column(head[0], no_wrap=True, min_width=max(map(len, [head[0], *(row[0] for row in cells)])))
    for name in head[1:]:
        table.add_column(name, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)


def ago(moment: datetime | None) -> str:
    """`42 s ago`."""
    if moment is None:
        return ""
    return f"{_span((datetime.now(UTC) - moment).total_seconds())} ago"


def until(moment: datetime) -> str:
    """`in 42 s`; `now` when the moment has come."""
    seconds = (moment - datetime.now(UTC)).total_seconds()
    return f"in {_span(seconds)}" if seconds > 0 else "now"


def _span(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def bytes_text(count: float) -> str:
    """`1.4 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
