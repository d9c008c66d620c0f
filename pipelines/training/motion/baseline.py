"""The plain baseline for coherence: the scenes model makes every frame by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from pipelines.training.motion.world import FRAMES

SCENES = Path("pipelines/house/scenes")
GUIDANCE = 4.0


def frame_by_frame(prompts: Sequence[str], seeds: Sequence[int], steps: int) -> list[np.ndarray]:
    """(FRAMES, SIDE, SIDE, 3) uint8 for each prompt: pictures of it, from the noise that a clip of this seed
    begins with."""
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(SCENES)
    pipe.set_progress_bar_config(disable=True)
    size, channels = pipe.unet.config.sample_size, pipe.unet.config.in_channels
    made = []
    for prompt, seed in zip(prompts, seeds, strict=True):
        noise = torch.Generator().manual_seed(seed)
        latents = torch.randn((1, channels, FRAMES, size, size), generator=noise)[0].transpose(0, 1)
        frames = pipe(
            [prompt] * FRAMES,
            latents=latents,
            num_inference_steps=steps,
            guidance_scale=GUIDANCE,
            output_type="np",
        ).images
        made.append(np.rint(np.clip(frames, 0, 1) * 255).astype(np.uint8))
    return made
