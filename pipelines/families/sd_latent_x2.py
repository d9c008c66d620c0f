"""The latent upscaler of Stable Diffusion: enlarges twice, in latents, true to what it is given."""

from typing import ClassVar

from diffusers import EulerDiscreteScheduler, StableDiffusionLatentUpscalePipeline

from pipelines.base import Capabilities
from pipelines.families._diffusers import NEEDS
from pipelines.families._upscaling import Upscaler


class StableDiffusionLatentX2(Upscaler):
    pipelines: ClassVar = {"upscale": StableDiffusionLatentUpscalePipeline}
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=8, previews=True, needs=NEEDS)
    # The pipeline computes with this one's noise levels.
    schedulers: ClassVar = {"euler": EulerDiscreteScheduler}
    factor: ClassVar = 2
    multiple_of: ClassVar = 64
