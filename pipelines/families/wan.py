"""Wan 2.1 and 2.2: videos from words, from a picture, from a video."""

from typing import Any, ClassVar

import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanVideoToVideoPipeline,
)

from pipelines.base import Capabilities
from pipelines.errors import ModelUnavailable
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import NEEDS
from pipelines.families._videos import VideoFamily, by_mean_and_deviation

SAMPLERS = {"unipc": UniPCMultistepScheduler, "dpm-solver": DPMSolverMultistepScheduler}
"""Those that know the shifted flows that Wan was trained on, by the same settings."""


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
    tunable: ClassVar = ("guidance_scale_2",)
    readers: ClassVar = {"tokenizer": 512}

    def __init__(self, pipe: Any, **options: Any) -> None:
        self.schedulers = SAMPLERS if pipe.scheduler.config.get("use_flow_sigmas") else {}
        super().__init__(pipe, **options)

    @classmethod
    def dtypes(cls, dtype: torch.dtype) -> Any:
        return {"vae": torch.float32, "image_encoder": torch.float32, "default": dtype}

    def pipeline(self, kind: str) -> Any:
        if kind == "video-to-video" and getattr(self.pipe, "transformer_2", None) is not None:
            raise ModelUnavailable(
                "these weights are in two halves, of which video-to-video would run only one"
            )
        return super().pipeline(kind)

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        arguments = super().arguments(pipe, bucket)
        if bucket.kind == "image-to-video":
            (arguments["image"],) = arguments["image"]  # it takes no list
        return arguments

    def multiple(self, pipe: Any) -> int:
        transformer = pipe.transformer or pipe.transformer_2
        return max(16, pipe.vae_scale_factor_spatial * transformer.config.patch_size[1])

    def frame_step(self, pipe: Any) -> int:
        return int(pipe.vae_scale_factor_temporal)

    def channels(self) -> int:
        return int(self.pipe.vae.config.z_dim)

    def denormalised(self, latents: torch.Tensor) -> torch.Tensor:
        config = self.pipe.vae.config
        return by_mean_and_deviation(latents, config.latents_mean, config.latents_std)
