"""Stable Diffusion x4: enlarges four times, with a prompt's help, from a picture to which noise is added."""

from typing import Any, ClassVar

from diffusers import StableDiffusionUpscalePipeline

from pipelines.base import Capabilities, Request
from pipelines.errors import Problem
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import NEEDS
from pipelines.families._upscaling import Upscaler


class StableDiffusionX4(Upscaler):
    pipelines: ClassVar = {"upscale": StableDiffusionUpscalePipeline}
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=8, previews=True, needs=NEEDS)
    parts: ClassVar = {"safety_checker": None, "feature_extractor": None, "watermarker": None}
    factor: ClassVar = 4
    multiple_of: ClassVar = 8

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        return {**super().arguments(pipe, bucket), "noise_level": bucket.inputs.noise_level}

    def problems(self, request: Request) -> list[Problem]:
        found = super().problems(request)
        most = self.pipe.config.max_noise_level
        if request.inputs.noise_level > most:
            found.append(Problem("/inputs/noise_level", f"this model takes at most {most}"))
        return found
