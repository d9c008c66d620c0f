"""AnimateDiff: a Stable Diffusion 1.x and layers that set its pictures in motion."""

from typing import Any, ClassVar

import torch
from diffusers import AnimateDiffPipeline, AnimateDiffVideoToVideoPipeline

from pipelines.base import Capabilities
from pipelines.families._diffusers import NEEDS, DiffusersFamily
from pipelines.families._videos import VideoFamily


class AnimateDiff(VideoFamily):
    pipelines: ClassVar = {
        "text-to-video": AnimateDiffPipeline,
        "video-to-video": AnimateDiffVideoToVideoPipeline,
    }
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=4, singly=("video-to-video",), previews=True, needs=NEEDS)
    tunable: ClassVar = ("clip_skip", "decode_chunk_size")
    parts: ClassVar = {"feature_extractor": None, "image_encoder": None}

    def __init__(self, pipe: Any, **options: Any) -> None:
        if pipe.vae.dtype == torch.float32:  # or each run would turn it into what it is, and warn of that
            pipe.vae.register_to_config(force_upcast=False)
        super().__init__(pipe, **options)

    def most_frames(self, pipe: Any) -> int:
        return int(pipe.unet.config.motion_max_seq_length)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return DiffusersFamily.decode(self, latents)  # it decodes pictures, one by one
