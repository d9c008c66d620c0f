"""Stable Diffusion 1.x and 2.x, and small models of the same layout."""

from typing import ClassVar

from diffusers import (
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
)

from pipelines.base import Capabilities
from pipelines.families._diffusers import NEEDS, DiffusersFamily


class StableDiffusion(DiffusersFamily):
    pipelines: ClassVar = {
        "text-to-image": StableDiffusionPipeline,
        "image-to-image": StableDiffusionImg2ImgPipeline,
        "inpaint": StableDiffusionInpaintPipeline,
    }
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=8, previews=True, needs=NEEDS)
    # Old folders name a feature extractor of a class that is gone; what is made is checked elsewhere.
    parts: ClassVar = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
