"""Sana, and Sana Sprint that needs one to four steps."""

import inspect
from typing import Any, ClassVar

import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    SanaPipeline,
    SanaSprintImg2ImgPipeline,
    SanaSprintPipeline,
)

from pipelines.base import Capabilities, Request
from pipelines.errors import Problem
from pipelines.families import _schedulers
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import NEEDS, DiffusersFamily
from pipelines.families._torch import memory_errors_translated


class Sana(DiffusersFamily):
    pipelines: ClassVar = {"text-to-image": SanaPipeline}
    kinds: ClassVar[tuple[str, ...]] = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=8, previews=True, needs=NEEDS)
    schedulers: ClassVar = {**_schedulers.FLOW, "dpm-solver": DPMSolverMultistepScheduler}
    readers: ClassVar = {"tokenizer": 300}

    def __init__(self, pipe: Any, *arguments: Any, **more: Any) -> None:
        """The pipeline only warns where its decoding runs out of torch's memory; our error it lets pass."""
        decode = pipe.vae.decode

        def translated(*given: Any, **named: Any) -> Any:
            with memory_errors_translated():
                return decode(*given, **named)

        pipe.vae.decode = translated
        super().__init__(pipe, *arguments, **more)

    def multiple(self, pipe: Any) -> int:
        return 32

    def tokens(self, reader: str, prompt: str) -> int:
        """Of the prompt after the words that teach the encoder how to read it; two are the model's own."""
        lesson = "\n".join(
            inspect.signature(type(self.pipe).__call__).parameters["complex_human_instruction"].default
        )
        written = super().tokens(reader, lesson + prompt.lower().strip())
        return written - super().tokens(reader, lesson) + 2

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        """In the size that was asked for, not in the nearest of a list, scaled and cut afterwards."""
        return {**super().arguments(pipe, bucket), "use_resolution_binning": False}


class SanaSprint(Sana):
    pipelines: ClassVar = {
        "text-to-image": SanaSprintPipeline,
        "image-to-image": SanaSprintImg2ImgPipeline,
    }
    kinds: ClassVar = tuple(pipelines)
    schedulers: ClassVar = {}

    def problems(self, request: Request) -> list[Problem]:
        """From the first of its steps on it sees nothing of a picture."""
        inputs, problems = request.inputs, super().problems(request)
        strength = getattr(inputs, "strength", 1.0)
        if strength < 1 and int(inputs.steps - inputs.steps * strength) == 0:
            detail = (
                f"with {inputs.steps} steps nothing of the picture would stay: lower it, or take more steps"
            )
            problems.append(Problem("/inputs/strength", detail))
        return problems

    def spatial(self, latents: torch.Tensor, bucket: Bucket) -> torch.Tensor:
        return super().spatial(latents, bucket) / self.scheduler.config.sigma_data

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        """The pipeline knows a place in the middle for two steps only."""
        arguments = super().arguments(pipe, bucket)
        return arguments if bucket.inputs.steps == 2 else {**arguments, "intermediate_timesteps": None}
