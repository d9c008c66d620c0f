"""One batch on its way through a diffusers pipeline."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from pipelines.base import Output, Progress, Request, buckets
from pipelines.errors import EngineError
from pipelines.families import _torch as torch_support
from pipelines.families._bucket import Bucket, Row
from pipelines.families._previews import Budget
from pipelines.families._schedulers import Step, after_each_step

if TYPE_CHECKING:
    from pipelines.families._diffusers import DiffusersFamily


Made = dict[tuple[int, int], list[tuple[Row, Output]]]
"""What the rows of each output (its request's number, its index) became."""


class Run:
    """Rows of all requests, bucket after bucket."""

    def __init__(
        self, family: "DiffusersFamily", batch: list[Request], progress: Progress, largest: int
    ) -> None:
        self.family, self.batch, self.progress, self.largest = family, batch, progress, largest
        self.pipe = family.pipeline(batch[0].kind)
        self.previews = Budget(family.previewer)
        self.stopped: set[int] = set()
        self.steps_done = 0

    def outputs(self) -> list[list[Output]]:
        """The outputs of each request; none of one that was stopped."""
        made: Made = {}
        waiting = self._alike()
        with self._scheduler(), torch_support.memory_errors_translated():
            while waiting := [rows for rows in map(self._wanted, waiting) if rows]:
                sizes = [size for rows in waiting for size in buckets(len(rows), self.largest)]
                now, waiting[0] = waiting[0][: sizes[0]], waiting[0][sizes[0] :]
                for row, output in zip(now, self._bucket(now, buckets_left=len(sizes)), strict=True):
                    made.setdefault((row.number, row.index), []).append((row, output))
        return [
            [] if number in self.stopped else self._joined(number, made) for number in range(len(self.batch))
        ]

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

    @contextmanager
    def _scheduler(self) -> Iterator[None]:
        """The scheduler that the inputs ask for in the pipeline's place, the model's own afterwards."""
        self.pipe.scheduler = self.family.sampler(getattr(self.batch[0].inputs, "scheduler", None))
        try:
            yield
        finally:
            self.pipe.scheduler = self.family.scheduler

    def _bucket(self, rows: list[Row], buckets_left: int) -> list[Output]:
        """What the rows make, together."""
        bucket = Bucket(rows)
        done_before = self.steps_done

        def after_step(step: Step) -> None:
            steps = self.family.steps(self.pipe)
            self.steps_done += 1
            if self.steps_done == done_before + steps and not torch.isfinite(step.latents).all():
                raise EngineError("the model's numbers overflowed; another dtype may help")
            total = done_before + steps * buckets_left
            self.stopped |= self.progress(min(self.steps_done, total), total, self._previews(bucket, step))

        with after_each_step(self.pipe.scheduler, after_step):
            result = self.pipe(**self.family.arguments(self.pipe, bucket))
        values = self.family.values(result, bucket)
        return [
            Output(row.index, value, row.seed, bucket=len(rows), row=place)
            for place, (row, value) in enumerate(zip(rows, values, strict=True))
        ]

    def _previews(self, bucket: Bucket, step: Step) -> list[bytes | None] | None:
        """A small picture of each request's first row here, if it is time for some."""
        first = {row.number: place for place, row in reversed(list(enumerate(bucket.rows)))}
        made = self.previews.make(lambda: self.family.spatial(step.foreseen(), bucket)[list(first.values())])
        if made is None:
            return None
        encoded = dict(zip(first, made, strict=True))
        return [encoded.get(number) for number in range(len(self.batch))]
