"""LTX-Video: videos from words, or from words and a picture."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from diffusers import LTXImageToVideoPipeline, LTXPipeline

from pipelines.base import Capabilities
from pipelines.families import _torch as torch_support
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import NEEDS
from pipelines.families._schedulers import FLOW
from pipelines.families._videos import VideoFamily, by_mean_and_deviation
from pipelines.seeds import MODULUS


class LTX(VideoFamily):
    pipelines: ClassVar = {"text-to-video": LTXPipeline, "image-to-video": LTXImageToVideoPipeline}
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=4, previews=True, needs=NEEDS)
    schedulers: ClassVar = FLOW
    tunable: ClassVar[tuple[str, ...]] = (
        "decode_timestep",
        "decode_noise_scale",
        "guidance_rescale",
    )
    readers: ClassVar = {"tokenizer": 128}

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        return super().arguments(pipe, bucket) | {"frame_rate": bucket.inputs.fps, "output_type": "latent"}

    def values(self, result: Any, bucket: Bucket) -> Sequence[Any]:
        """Decoded here: the pipeline draws the decoder's noise from one generator for all rows."""
        latents = self.denormalised(self._unpacked(result.frames, bucket))
        with torch.inference_mode():
            frames = self._decoded(latents.to(self.pipe.vae.dtype), bucket)
        result.frames = self.pipe.video_processor.postprocess_video(frames, output_type="np")
        return super().values(result, bucket)

    def multiple(self, pipe: Any) -> int:
        return int(pipe.vae_spatial_compression_ratio)

    def frame_step(self, pipe: Any) -> int:
        return int(pipe.vae_temporal_compression_ratio)

    def spatial(self, latents: torch.Tensor, bucket: Bucket) -> torch.Tensor:
        return super().spatial(self._unpacked(latents, bucket) if latents.ndim == 3 else latents, bucket)

    def denormalised(self, latents: torch.Tensor) -> torch.Tensor:
        vae = self.pipe.vae
        return by_mean_and_deviation(latents, vae.latents_mean, vae.latents_std / vae.config.scaling_factor)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        vae = self.pipe.vae
        time = torch.zeros(len(latents)).to(latents) if vae.config.timestep_conditioning else None
        frames = self.denormalised(latents.unsqueeze(2)).to(vae.dtype)
        return vae.decode(frames, time).sample[:, :, 0]

    def _unpacked(self, latents: torch.Tensor, bucket: Bucket) -> torch.Tensor:
        """Tokens as (rows, channels, frames, height, width)."""
        inputs, pipe = bucket.inputs, self.pipe
        return pipe._unpack_latents(
            latents,
            (inputs.frames - 1) // pipe.vae_temporal_compression_ratio + 1,
            inputs.height // pipe.vae_spatial_compression_ratio,
            inputs.width // pipe.vae_spatial_compression_ratio,
            pipe.transformer_spatial_patch_size,
            pipe.transformer_temporal_patch_size,
        )

    def _decoded(self, latents: torch.Tensor, bucket: Bucket) -> torch.Tensor:
        vae = self.pipe.vae
        if not vae.config.timestep_conditioning:
            return vae.decode(latents).sample
        time = self.call.get("decode_timestep", 0.0)
        share = self.call.get("decode_noise_scale", time)
        # Seeds that no output has, so that this noise is not that which the rows began with.
        noise = [
            torch.randn(latents.shape[1:], generator=torch_support.seeded(row.seed + MODULUS))
            for row in bucket.rows
        ]
        mixed = (1 - share) * latents + share * torch.stack(noise).to(latents)
        return vae.decode(mixed, torch.full((len(mixed),), time).to(mixed)).sample
