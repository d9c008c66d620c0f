"""Stable Diffusion 1.x and 2.x, and small models of the same layout. All that this family needs is here.

diffusers does the work; here are the batches, the seeds, and the one place where progress is told and a stop
is seen: a wrapper round the scheduler's `step`, which works for every pipeline and leaves it usable.
"""

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers import (
    AutoencoderTiny,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
)
from diffusers.utils import logging as diffusers_logging
from PIL import Image

from pipelines.base import Capabilities, Output, Progress, Request, buckets
from pipelines.errors import EngineError, InvalidInputs, OutOfMemory, Problem
from pipelines.families import _torch as torch_support
from pipelines.media import preview, read_picture
from pipelines.seeds import output_seed

SCHEDULERS = {
    "ddim": DDIMScheduler,
    "euler": EulerDiscreteScheduler,
    "euler-ancestral": EulerAncestralDiscreteScheduler,
    "dpm-solver": DPMSolverMultistepScheduler,
}

PREVIEW_SECONDS = 0.5
"""Least time between two previews: a decode costs about a third of a step."""

diffusers_logging.disable_progress_bar()


@dataclass(frozen=True)
class Row:
    """One output to make."""

    request: int
    """Index of its request in the batch."""
    index: int
    """Which of that request's outputs it is."""
    seed: int


class StableDiffusion:
    kinds: ClassVar = ("text-to-image", "image-to-image")
    capabilities: ClassVar = Capabilities(
        max_batch=8,
        previews=True,
        needs=("torch", "diffusers", "transformers", "accelerate", "safetensors", "pillow"),
    )

    def __init__(self, pipe: StableDiffusionPipeline) -> None:
        self.text_to_image = pipe
        self.image_to_image = StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False)
        self.scheduler = pipe.scheduler
        for each in (self.text_to_image, self.image_to_image):
            each.set_progress_bar_config(disable=True)

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str) -> "StableDiffusion":
        """The pipeline saved in `weights`, without a safety checker."""
        with torch_support.load_errors_translated(weights):
            pipe = StableDiffusionPipeline.from_pretrained(
                weights,
                dtype=torch_support.dtype_of(dtype, device),
                use_safetensors=True,
                local_files_only=True,
                safety_checker=None,
                feature_extractor=None,
                requires_safety_checker=False,
            )
            return cls(pipe.to(device))

    def run(self, batch: list[Request], progress: Progress) -> list[list[Output]]:
        """Pictures for each request; all share size, steps, guidance, scheduler and strength.

        Where a batch does not fit the device, it is made in buckets of half the size.
        """
        for request in batch:
            self._check_prompts(request)
        largest = self.capabilities.max_batch
        while True:
            try:
                return Run(self, batch, progress, largest).outputs()
            except OutOfMemory:
                if largest == 1:
                    raise
            torch_support.free_memory()
            largest //= 2

    def _check_prompts(self, request: Request) -> None:
        """Raise InvalidInputs for a prompt whose end the text encoder would not see."""
        tokenizer = self.text_to_image.tokenizer
        for name in ("prompt", "negative_prompt"):
            tokens = len(tokenizer(getattr(request.inputs, name), verbose=False).input_ids)
            if tokens > tokenizer.model_max_length:
                detail = f"has {tokens} tokens; this model reads at most {tokenizer.model_max_length}"
                raise InvalidInputs([Problem(f"/inputs/{name}", detail)])


class Run:
    """One batch on its way through the pipeline."""

    def __init__(
        self, family: StableDiffusion, batch: list[Request], progress: Progress, largest: int
    ) -> None:
        self.family, self.batch, self.progress, self.largest = family, batch, progress, largest
        self.inputs: Any = batch[0].inputs
        self.pipe = family.text_to_image if batch[0].kind == "text-to-image" else family.image_to_image
        self.stopped: set[int] = set()
        self.steps_done = 0
        self.next_preview = time.monotonic() + PREVIEW_SECONDS

    def outputs(self) -> list[list[Output]]:
        rows = [
            Row(number, index, output_seed(request.inputs.seed, index))
            for number, request in enumerate(self.batch)
            for index in range(request.inputs.n)
        ]
        made: list[list[Output]] = [[] for _ in self.batch]
        with self._scheduler(), torch_support.memory_errors_translated():
            while rows := [row for row in rows if row.request not in self.stopped]:
                sizes = buckets(len(rows), self.largest)
                now, rows = rows[: sizes[0]], rows[sizes[0] :]
                images = self._images(now, buckets_left=len(sizes))
                for place, (row, image) in enumerate(zip(now, images, strict=True)):
                    made[row.request].append(Output(row.index, image, row.seed, bucket=len(now), row=place))
        return [[] if number in self.stopped else outputs for number, outputs in enumerate(made)]

    @contextmanager
    def _scheduler(self) -> Iterator[None]:
        """The scheduler that the inputs ask for in the pipeline's place, the model's own afterwards."""
        own = self.family.scheduler
        wanted = self.inputs.scheduler
        self.pipe.scheduler = SCHEDULERS[wanted].from_config(own.config) if wanted else own
        try:
            yield
        finally:
            self.pipe.scheduler = own

    def _images(self, rows: list[Row], buckets_left: int) -> list[Image.Image]:
        """The pictures of one bucket."""
        requests = [self.batch[row.request] for row in rows]
        arguments: dict[str, Any] = {
            "prompt": [request.inputs.prompt for request in requests],
            "negative_prompt": [request.inputs.negative_prompt for request in requests],
            "generator": [torch_support.seeded(row.seed) for row in rows],
            "num_inference_steps": self.inputs.steps,
            "guidance_scale": self.inputs.guidance,
        }
        size = (self.inputs.width, self.inputs.height)
        if self.pipe is self.family.image_to_image:
            # One picture a row: with a single one, every row would get the first row's noise.
            arguments["image"] = [read_picture(request.files["image"], size) for request in requests]
            arguments["strength"] = self.inputs.strength
        else:
            arguments["width"], arguments["height"] = size
        done_before = self.steps_done

        def after_step(result: tuple[torch.Tensor, ...]) -> None:
            self.steps_done += 1
            total = done_before + self.pipe.num_timesteps * buckets_left
            if (
                self.steps_done == done_before + self.pipe.num_timesteps
                and not torch.isfinite(result[0]).all()
            ):
                raise EngineError("the model's numbers overflowed; another dtype may help")
            self.stopped |= self.progress(self.steps_done, total, self._previews(rows, result[-1]))

        with after_each_step(self.pipe.scheduler, after_step):
            return list(self.pipe(**arguments).images)

    def _previews(self, rows: list[Row], latents: torch.Tensor) -> list[bytes | None] | None:
        """A small picture of each request's first row here, where decoding is cheap, not too often."""
        vae = self.pipe.vae
        if not isinstance(vae, AutoencoderTiny) or time.monotonic() < self.next_preview:
            return None
        first = {row.request: place for place, row in reversed(list(enumerate(rows)))}
        with torch.inference_mode():
            decoded = vae.decode(
                latents[list(first.values())].to(vae.dtype) / vae.config.scaling_factor
            ).sample
        images = self.pipe.image_processor.postprocess(decoded, output_type="pil")
        encoded = dict(zip(first, map(preview, images), strict=True))
        self.next_preview = time.monotonic() + PREVIEW_SECONDS
        return [encoded.get(number) for number in range(len(self.batch))]


@contextmanager
def after_each_step(scheduler: Any, tell: Callable[[tuple[torch.Tensor, ...]], None]) -> Iterator[None]:
    """Call `tell` with the result of each `scheduler.step`; what it raises ends the pipeline's call.

    The result is (next latents,) or (next latents, foreseen final latents). The signature is kept, because
    pipelines look at it to see which arguments a scheduler takes.
    """
    step = scheduler.step

    @functools.wraps(step)
    def told(*args: Any, **kwargs: Any) -> tuple[torch.Tensor, ...]:
        result: tuple[torch.Tensor, ...] = step(*args, **kwargs)
        tell(result)
        return result

    scheduler.step = told
    try:
        yield
    finally:
        del scheduler.step
