"""CogVideoX: videos from words, from a picture, from a video."""

from typing import Any, ClassVar

import torch
from diffusers import (
    CogVideoXDDIMScheduler,
    CogVideoXDPMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXPipeline,
    CogVideoXVideoToVideoPipeline,
)

from pipelines.base import Capabilities, Request
from pipelines.errors import ModelUnavailable, Problem
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import NEEDS
from pipelines.families._videos import VideoFamily


class CogVideoX(VideoFamily):
    pipelines: ClassVar = {
        "text-to-video": CogVideoXPipeline,
        "image-to-video": CogVideoXImageToVideoPipeline,
        "video-to-video": CogVideoXVideoToVideoPipeline,
    }
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=4, singly=("video-to-video",), previews=True, needs=NEEDS)
    schedulers: ClassVar = {"ddim": CogVideoXDDIMScheduler, "dpm-solver": CogVideoXDPMScheduler}
    tunable: ClassVar = ("use_dynamic_cfg",)
    readers: ClassVar = {"tokenizer": 226}

    def pipeline(self, kind: str) -> Any:
        if kind == "video-to-video" and self.pipe.transformer.config.patch_size_t:
            raise ModelUnavailable(
                "these weights take latent frames in pairs, which video-to-video cannot make"
            )
        return super().pipeline(kind)

    def problems(self, request: Request) -> list[Problem]:
        return [*super().problems(request), *self._other_size(request.inputs)]

    def multiple(self, pipe: Any) -> int:
        return int(pipe.vae_scale_factor_spatial * pipe.transformer.config.patch_size)

    def frame_step(self, pipe: Any) -> int:
        """Latent frames are decoded in pairs after the first, so that there must be an odd number of them."""
        return 2 * int(pipe.vae_scale_factor_temporal)

    def spatial(self, latents: torch.Tensor, bucket: Bucket) -> torch.Tensor:
        return latents[:, latents.shape[1] // 2]

    def _other_size(self, inputs: Any) -> list[Problem]:
        """Models that have learned the places of their patches do one size and length only; for another
        length the pipeline would take computed places in silence."""
        config, scale = self.pipe.transformer.config, self.pipe.vae_scale_factor_spatial
        if not config.use_learned_positional_embeddings:
            return []
        learned = {
            "width": config.sample_width * scale,
            "height": config.sample_height * scale,
            "frames": config.sample_frames,
        }
        return [
            Problem(f"/inputs/{field}", f"this model does {size} only")
            for field, size in learned.items()
            if getattr(inputs, field) != size
        ]
