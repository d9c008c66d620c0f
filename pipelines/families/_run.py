"""One batch: the rows of all its requests, bucket after bucket."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from pipelines.base import Output, Progress, Request, buckets
from pipelines.errors import OutOfMemory
from pipelines.families import _torch as torch_support
from pipelines.families._bucket import Row

Made = dict[tuple[int, int], list[tuple[Row, Output]]]
"""What the rows of each output (its request's number, its index) became."""

Result = TypeVar("Result")


class InRows(Protocol):
    """A family whose outputs are made of rows."""

    def rows(self, number: int, request: Request) -> Iterable[Row]:
        """The rows that make the request's outputs."""

    def alike(self, row: Row) -> Hashable:
        """Rows may share a bucket where this is equal."""

    def joined(self, rows: Sequence[Row], values: Sequence[Any]) -> Any:
        """One output of what its rows became, in order."""

    def facts(self, request: Request) -> Mapping[str, Any]:
        """What is known of a request's outputs beside their values."""


class Run:
    """Makes buckets until no row waits; a subclass says what `bucket` makes of one."""

    def __init__(self, family: InRows, batch: list[Request], progress: Progress, largest: int) -> None:
        self.family, self.batch, self.progress, self.largest = family, batch, progress, largest
        self.stopped: set[int] = set()
        self.steps_done = 0

    def outputs(self) -> list[list[Output]]:
        """The outputs of each request; none of one that was stopped."""
        made: Made = {}
        waiting = self._alike()
        while waiting := [rows for rows in map(self._wanted, waiting) if rows]:
            sizes = [size for rows in waiting for size in buckets(len(rows), self.largest)]
            now, waiting[0] = waiting[0][: sizes[0]], waiting[0][sizes[0] :]
            for place, (row, value) in enumerate(zip(now, self.bucket(now, len(sizes)), strict=True)):
                output = Output(row.index, value, row.seed, bucket=len(now), row=place)
                made.setdefault((row.number, row.index), []).append((row, output))
        return [
            [] if number in self.stopped else self._joined(number, made) for number in range(len(self.batch))
        ]

    def bucket(self, rows: list[Row], buckets_left: int) -> Sequence[Any]:
        """What each of the rows becomes, made together; `buckets_left` counts this one, too."""
        raise NotImplementedError

    def tell(self, steps: int, buckets_left: int, done_before: int, previews: Any = None) -> None:
        """One more step is done, of a bucket that takes `steps` and began after `done_before`."""
        self.steps_done += 1
        total = done_before + steps * buckets_left
        self.stopped |= self.progress(min(self.steps_done, total), total, previews)

    def _alike(self) -> list[list[Row]]:
        """The rows of all requests, those together that may share a bucket."""
        groups: dict[Hashable, list[Row]] = {}
        for number, request in enumerate(self.batch):
            for row in self.family.rows(number, request):
                groups.setdefault(self.family.alike(row), []).append(row)
        return list(groups.values())

    def _wanted(self, rows: list[Row]) -> list[Row]:
        return [row for row in rows if row.number not in self.stopped]

    def _joined(self, number: int, made: Made) -> list[Output]:
        request = self.batch[number]
        facts = dict(self.family.facts(request))
        outputs = []
        for index in range(request.inputs.n):
            rows, parts = zip(*made[number, index], strict=True)
            value = self.family.joined(rows, [part.value for part in parts])
            outputs.append(replace(parts[0], value=value, facts=facts))
        return outputs


def halving(largest: int, make: Callable[[int], Result]) -> Result:
    """What `make` gives for buckets of `largest` rows, or of half as many, as often as they do not fit the
    device; raises OutOfMemory where one row does not."""
    while True:
        try:
            with torch_support.memory_errors_translated():
                return make(largest)
        except OutOfMemory:
            if largest == 1:
                raise
        torch_support.free_memory()
        largest //= 2
