"""How a pull is shown: a bar at a terminal, a line for each file elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from atelier.cli.output import Output

Show = Callable[[str, int, int], None]


@contextmanager
def shown(output: Output) -> Iterator[Show]:
    """Gives what is told the file that is fetched, and how many bytes of how many are here."""
    if not output.live:
        yield _lines(output)
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=output.stderr) as progress:
        task = progress.add_task("", total=None)
        yield lambda name, done, total: progress.update(task, description=name, completed=done, total=total)


def _lines(output: Output) -> Show:
    told = ""

    def show(name: str, done: int, total: int) -> None:
        nonlocal told
        if name != told:
            told = name
            output.note(f"{name}, {done} of {total} bytes are here")

    return show
