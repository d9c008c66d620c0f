"""FLUX.1: dev, schnell, and what is fine-tuned from them.

Its guidance is a number that the model has learned to obey. Only with the option `true_guidance` does it run
a second time for the negative prompt, at twice the cost.
"""

from typing import Any, ClassVar

import torch
from diffusers import FluxImg2ImgPipeline, FluxInpaintPipeline, FluxPipeline

from pipelines.base import Capabilities, Request
from pipelines.errors import Problem
from pipelines.families import _schedulers
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import NEEDS, DiffusersFamily


class Flux(DiffusersFamily):
    pipelines: ClassVar = {
        "text-to-image": FluxPipeline,
        "image-to-image": FluxImg2ImgPipeline,
        "inpaint": FluxInpaintPipeline,
    }
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=8, previews=True, needs=NEEDS)
    schedulers: ClassVar = _schedulers.FLOW
    # CLIP only sums the prompt up, and sees its beginning.
    readers: ClassVar = {"tokenizer_2": 512}

    def __init__(self, pipe: Any, *, true_guidance: float = 0, **more: Any) -> None:
        super().__init__(pipe, **more)
        self.true_guidance = true_guidance

    def multiple(self, pipe: Any) -> int:
        return 2 * int(pipe.vae_scale_factor)

    def problems(self, request: Request) -> list[Problem]:
        found = super().problems(request)
        if request.inputs.negative_prompt and not self.true_guidance:
            detail = "this model takes no negative prompt (unless its row has the option true_guidance)"
            found.append(Problem("/inputs/negative_prompt", detail))
        if request.inputs.guidance > 1 and not self.pipe.transformer.config.guidance_embeds:
            found.append(Problem("/inputs/guidance", "this model was distilled to do without: at most 1"))
        return found

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        arguments = super().arguments(pipe, bucket)
        if self.true_guidance:
            return {**arguments, "true_cfg_scale": self.true_guidance}
        del arguments["negative_prompt"]
        return arguments

    def spatial(self, latents: torch.Tensor, bucket: Bucket) -> torch.Tensor:
        size = (bucket.inputs.height, bucket.inputs.width)
        unpacked: torch.Tensor = self.pipe._unpack_latents(latents, *size, self.pipe.vae_scale_factor)
        return unpacked
