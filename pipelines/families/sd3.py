"""Stable Diffusion 3 and 3.5, with the T5 encoder or without."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from diffusers import (
    StableDiffusion3Img2ImgPipeline,
    StableDiffusion3InpaintPipeline,
    StableDiffusion3Pipeline,
)

from pipelines.base import Capabilities
from pipelines.families import _schedulers
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import NEEDS, DiffusersFamily


class StableDiffusion3(DiffusersFamily):
    pipelines: ClassVar = {
        "text-to-image": StableDiffusion3Pipeline,
        "image-to-image": StableDiffusion3Img2ImgPipeline,
        "inpaint": StableDiffusion3InpaintPipeline,
    }
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=8, previews=True, needs=NEEDS)
    schedulers: ClassVar = _schedulers.FLOW

    def limits(self) -> Mapping[str, int | None]:
        """T5 reads the whole prompt, the other two its beginning; without T5 they must see all of it."""
        return {"tokenizer_3": 256} if self.pipe.text_encoder_3 else {"tokenizer": None, "tokenizer_2": None}

    def multiple(self, pipe: Any) -> int:
        return int(pipe.vae_scale_factor * pipe.patch_size)

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        """diffusers 0.42's inpaint pipeline encodes with the shift of the latents and decodes without."""
        arguments = super().arguments(pipe, bucket)
        return arguments | {"output_type": "latent"} if bucket.kind == "inpaint" else arguments

    def values(self, result: Any, bucket: Bucket) -> Sequence[Any]:
        if bucket.kind == "inpaint":
            with torch.inference_mode():
                colours = self.decode(result.images)
            result.images = self.pipe.image_processor.postprocess(colours, output_type="np")
        return super().values(result, bucket)
