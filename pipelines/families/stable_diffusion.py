"""Stable Diffusion 1.x and 2.x, and small models of the same layout."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import diffusers
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from diffusers.configuration_utils import FrozenDict

from pipelines.base import Capabilities
from pipelines.families._diffusers import NEEDS, DiffusersFamily

BLENDED = (
    4  # channels at which the library inpaints by blending: what is kept is noised and put back each step
)


class StableDiffusionInpaintPipeline(diffusers.StableDiffusionInpaintPipeline):
    """Blends with any number of latent channels. The library asks the config for 4, and the blend itself
    minds no number; so while it runs, it is told 4."""

    @functools.wraps(diffusers.StableDiffusionInpaintPipeline.__call__)
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.unet.config.in_channels != self.vae.config.latent_channels:
            return super().__call__(*args, **kwargs)
        with _told_channels(self.unet, BLENDED):
            return super().__call__(*args, **kwargs)


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


@contextmanager
def _told_channels(unet: Any, channels: int) -> Iterator[None]:
    """The config, which all pipelines of a model share, says so many channels; one of them runs at a time."""
    config = unet._internal_dict
    unet._internal_dict = FrozenDict({**config, "in_channels": channels})
    try:
        yield
    finally:
        unet._internal_dict = config
