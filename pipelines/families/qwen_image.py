"""Qwen-Image: a long prompt is read whole, and words are drawn as they are written."""

from typing import Any, ClassVar

import torch
from diffusers import QwenImageImg2ImgPipeline, QwenImageInpaintPipeline, QwenImagePipeline

from pipelines.base import Capabilities
from pipelines.families import _schedulers
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import NEEDS, DiffusersFamily

MOST_TOKENS = 1024
"""That the pipeline lets through; by default it cuts at half of that."""


class QwenImage(DiffusersFamily):
    pipelines: ClassVar = {
        "text-to-image": QwenImagePipeline,
        "image-to-image": QwenImageImg2ImgPipeline,
        "inpaint": QwenImageInpaintPipeline,
    }
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=8, previews=True, needs=NEEDS)
    schedulers: ClassVar = _schedulers.FLOW
    readers: ClassVar = {"tokenizer": MOST_TOKENS}

    def multiple(self, pipe: Any) -> int:
        return 2 * int(pipe.vae_scale_factor)

    def tokens(self, reader: str, prompt: str) -> int:
        """Of the prompt and the words that follow it in the model's template."""
        written = self.pipe.prompt_template_encode.format(prompt)
        return super().tokens(reader, written) - int(self.pipe.prompt_template_encode_start_idx)

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        """Guidance by the negative prompt, unless the model has learned it as a number."""
        arguments = {**super().arguments(pipe, bucket), "max_sequence_length": MOST_TOKENS}
        if not pipe.transformer.config.guidance_embeds:
            arguments["true_cfg_scale"] = arguments["guidance_scale"]
            arguments["guidance_scale"] = None
        return arguments

    def spatial(self, latents: torch.Tensor, bucket: Bucket) -> torch.Tensor:
        size = (bucket.inputs.height, bucket.inputs.width)
        unpacked: torch.Tensor = self.pipe._unpack_latents(latents, *size, self.pipe.vae_scale_factor)
        return unpacked[:, :, 0]

    def channels(self) -> int:
        return int(self.pipe.vae.config.z_dim)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        vae = self.pipe.vae
        mean, deviation = (
            latents.new_tensor(numbers).view(1, -1, 1, 1)
            for numbers in (vae.config.latents_mean, vae.config.latents_std)
        )
        frames = (latents * deviation + mean).to(vae.dtype).unsqueeze(2)
        return vae.decode(frames).sample[:, :, 0]
