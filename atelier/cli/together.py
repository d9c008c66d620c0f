"""Following the jobs of a chain side by side: a bar for each, or plain lines with their names."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from atelier.cli.follow import Doubt, Interrupted, Lines, bars, draw, headline
from atelier.cli.output import Output
from atelier.records import Job

if TYPE_CHECKING:
    from rich.progress import Progress

    from atelier.client import Client

LOOK_SECONDS: Final = 0.25  # between looks at the jobs that are not final


class Displays(Protocol):
    """Something that shows where each of several jobs stands."""

    def show(self, name: str, job: Job) -> None: ...


def follow_together(client: "Client", jobs: Mapping[str, Job], output: Output) -> dict[str, Job]:
    """The jobs, by name, once all are final. Ctrl-C cancels those that are not, and raises Interrupted."""
    from atelier.client import PATIENCE

    now = dict(jobs)
    doubts = {name: Doubt(client, output) for name in jobs}
    try:
        with _displays(output, list(jobs)) as displays:
            while True:
                for name, job in now.items():
                    displays.show(name, job)
                waiting = [name for name, job in now.items() if not job.final]
                if not waiting:
                    return now
                for name in waiting:
                    doubts[name].consider(now[name])
                time.sleep(LOOK_SECONDS)
                now |= {name: client.get(now[name].id, patience=PATIENCE) for name in waiting}
    except KeyboardInterrupt:
        for job in now.values():
            if not job.final:
                client.cancel(job.id)
        raise Interrupted from None


@contextmanager
def _displays(output: Output, names: list[str]) -> Iterator[Displays]:
    if output.live:
        with bars(output) as progress:
            yield Bars(progress, names)
    else:
        yield Columns(output, names)


class Columns:
    """Plain lines, the names of one width."""

    def __init__(self, output: Output, names: list[str]) -> None:
        width = max(map(len, names))
        self._lines = {name: Lines(output, name.ljust(width)) for name in names}

    def show(self, name: str, job: Job) -> None:
        self._lines[name].show(job)


class Bars:
    """A bar for each job; its clock runs while the job does."""

    def __init__(self, progress: "Progress", names: list[str]) -> None:
        self._progress = progress
        self._width = max(map(len, names))
        self._tasks = {name: progress.add_task(name, start=False, total=None, steps="") for name in names}
        self._over = set[str]()

    def show(self, name: str, job: Job) -> None:
        task = self._tasks[name]
        if name in self._over:
            return
        if job.status not in ("queued", "cancelled"):  # one that is cancelled while it waits never ran
            self._progress.start_task(task)
        draw(self._progress, task, f"{name.ljust(self._width)}  {headline(job)}", job)
        if job.final:
            self._over.add(name)
            self._progress.stop_task(task)
