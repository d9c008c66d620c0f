"""One batch on its way through a diffusers pipeline."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from pipelines.base import Output, Progress, Request
from pipelines.errors import EngineError
from pipelines.families import _speed
from pipelines.families._bucket import Bucket, Row
from pipelines.families._previews import Budget
from pipelines.families._run import Run
from pipelines.families._schedulers import Step, after_each_step

if TYPE_CHECKING:
    from pipelines.families._diffusers import DiffusersFamily


class PipelineRun(Run):
    """Calls the pipeline bucket after bucket."""

    family: "DiffusersFamily"

    def __init__(
        self, family: "DiffusersFamily", batch: list[Request], progress: Progress, largest: int
    ) -> None:
        super().__init__(family, batch, progress, largest)
        self.pipe = family.pipeline(batch[0].kind)
        self.previews = Budget(family.previewer)

    def outputs(self) -> list[list[Output]]:
        with self._scheduler():
            return super().outputs()

    @contextmanager
    def _scheduler(self) -> Iterator[None]:
        """The scheduler that the inputs ask for in the pipeline's place, the model's own afterwards."""
        self.pipe.scheduler = self.family.sampler(getattr(self.batch[0].inputs, "scheduler", None))
        try:
            yield
        finally:
            self.pipe.scheduler = self.family.scheduler

    def bucket(self, rows: list[Row], buckets_left: int) -> Sequence[Any]:
        bucket = Bucket(rows)
        done_before = self.steps_done

        def after_step(step: Step) -> None:
            steps = self.family.steps(self.pipe)
            if self.steps_done + 1 == done_before + steps and not torch.isfinite(step.latents).all():
                raise EngineError("the model's numbers overflowed; another dtype may help")
            self.tell(steps, buckets_left, done_before, self._previews(bucket, step))

        with (
            torch.inference_mode(),
            after_each_step(self.pipe.scheduler, after_step),
            _speed.attention(self.family.attention),
        ):
            result = self.pipe(**self.family.arguments(self.pipe, bucket))
        return self.family.values(result, bucket)

    def _previews(self, bucket: Bucket, step: Step) -> list[bytes | None] | None:
        """A small picture of each request's first row here, if it is time for some."""
        first = {row.number: place for place, row in reversed(list(enumerate(bucket.rows)))}
        made = self.previews.make(lambda: self.family.spatial(step.foreseen(), bucket)[list(first.values())])
        if made is None:
            return None
        encoded = dict(zip(first, made, strict=True))
        return [encoded.get(number) for number in range(len(self.batch))]
