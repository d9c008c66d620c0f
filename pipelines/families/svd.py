"""Stable Video Diffusion: sets a picture in motion. It reads no words; `motion` says how much moves."""

from typing import Any, ClassVar

import torch
from diffusers import EulerDiscreteScheduler, StableVideoDiffusionPipeline

from pipelines.base import Capabilities, Request
from pipelines.errors import Problem
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import NEEDS
from pipelines.families._videos import VideoFamily


class StableVideoDiffusion(VideoFamily):
    pipelines: ClassVar = {"image-to-video": StableVideoDiffusionPipeline}
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=4, previews=True, needs=NEEDS)
    schedulers: ClassVar = {"euler": EulerDiscreteScheduler}
    tunable: ClassVar = ("min_guidance_scale", "noise_aug_strength", "decode_chunk_size")
    readers: ClassVar = {}

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        """Guidance grows from the first frame, which is given, to the last."""
        arguments = super().arguments(pipe, bucket)
        del arguments["prompt"]
        if most := arguments.get("decode_chunk_size"):  # a piece must not hold frames of two videos
            frames = bucket.inputs.frames
            whole = max(size for size in range(1, frames + 1) if size <= most and frames % size == 0)
            arguments["decode_chunk_size"] = whole
        return arguments | {
            "max_guidance_scale": arguments.pop("guidance_scale"),
            "fps": bucket.inputs.fps,
            "motion_bucket_id": bucket.inputs.motion,
        }

    def problems(self, request: Request) -> list[Problem]:
        problems = super().problems(request)
        if request.inputs.prompt:
            problems.append(Problem("/inputs/prompt", "this model reads no words: leave it empty"))
        return problems

    def multiple(self, pipe: Any) -> int:
        return int(pipe.vae_scale_factor * 2 ** (len(pipe.unet.config.block_out_channels) - 1))

    def spatial(self, latents: torch.Tensor, bucket: Bucket) -> torch.Tensor:
        return latents[:, latents.shape[1] // 2]

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        vae = self.pipe.vae
        scaled = latents.to(vae.dtype) / vae.config.scaling_factor
        return vae.decode(scaled, num_frames=1).sample
