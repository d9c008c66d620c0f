"""Wan 2.1 and 2.2: videos from words, from a picture, from a video."""

from typing import Any, ClassVar

import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanVideoToVideoPipeline,
)

from pipelines.base import Capabilities, Request
from pipelines.errors import ModelUnavailable, Problem
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import NEEDS
from pipelines.families._schedulers import FLOW
from pipelines.families._videos import VideoFamily, by_mean_and_deviation

SAMPLERS = {**FLOW, "dpm-solver": DPMSolverMultistepScheduler}


class Wan(VideoFamily):
    pipelines: ClassVar = {
        "text-to-video": WanPipeline,
        "image-to-video": WanImageToVideoPipeline,
        "video-to-video": WanVideoToVideoPipeline,
    }
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(
        max_batch=4, singly=("image-to-video", "video-to-video"), previews=True, needs=(*NEEDS, "ftfy")
    )
    schedulers: ClassVar = SAMPLERS
    tunable: ClassVar = ("guidance_scale_2",)
    readers: ClassVar = {"tokenizer": 512}

    @classmethod
    def dtypes(cls, dtype: torch.dtype) -> Any:
        return {"vae": torch.float32, "image_encoder": torch.float32, "default": dtype}

    @property
    def in_halves(self) -> bool:
        """Whether one transformer makes the noisier steps, another the rest."""
        return getattr(self.pipe, "transformer_2", None) is not None

    def pipeline(self, kind: str) -> Any:
        if kind == "video-to-video":
            if self.in_halves:
                raise ModelUnavailable("these weights are in two halves, of which it would run only one")
            if self.pipe.config.get("expand_timesteps"):
                raise ModelUnavailable("these weights have latents of a size that it does not know")
        return super().pipeline(kind)

    def problems(self, request: Request) -> list[Problem]:
        if request.inputs.scheduler and not self._flows():
            return [Problem("/inputs/scheduler", "does not go with this model; it takes its own only")]
        problems = super().problems(request)
        if request.inputs.loras and self.in_halves:
            problems.append(
                Problem("/inputs/loras", "these weights are in two halves: it would change one only")
            )
        return problems

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        arguments = super().arguments(pipe, bucket)
        if bucket.kind == "image-to-video":
            (arguments["image"],) = arguments["image"]  # it takes no list
        return arguments

    def multiple(self, pipe: Any) -> int:
        return max(16, int(pipe.vae_scale_factor_spatial * pipe.transformer.config.patch_size[1]))

    def frame_step(self, pipe: Any) -> int:
        return int(pipe.vae_scale_factor_temporal)

    def channels(self) -> int:
        return int(self.pipe.vae.config.z_dim)

    def denormalised(self, latents: torch.Tensor) -> torch.Tensor:
        config = self.pipe.vae.config
        return by_mean_and_deviation(latents, config.latents_mean, config.latents_std)

    def _flows(self) -> bool:
        """Whether its own sampler has the settings that the others need."""
        own = self.scheduler
        return isinstance(own, FlowMatchEulerDiscreteScheduler) or bool(own.config.get("use_flow_sigmas"))
