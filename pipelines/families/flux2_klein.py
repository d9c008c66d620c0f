"""FLUX.2 klein: image-to-image is an edit, as the prompt says, of a picture that the model looks at."""

from typing import ClassVar

import torch
from diffusers import Flux2KleinInpaintPipeline, Flux2KleinPipeline

from pipelines.base import Capabilities, Request
from pipelines.errors import Problem
from pipelines.families import _schedulers
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import NEEDS
from pipelines.families._qwen3 import ReadByQwen3


class Flux2Klein(ReadByQwen3):
    pipelines: ClassVar = {
        "text-to-image": Flux2KleinPipeline,
        "image-to-image": Flux2KleinPipeline,
        "inpaint": Flux2KleinInpaintPipeline,
    }
    kinds: ClassVar = tuple(pipelines)
    # All pictures that a call is given are looked at for each of its rows.
    capabilities: ClassVar = Capabilities(max_batch=8, singly=("image-to-image",), previews=True, needs=NEEDS)
    schedulers: ClassVar = _schedulers.FLOW
    thinking: ClassVar = False

    def problems(self, request: Request) -> list[Problem]:
        found = super().problems(request)
        if request.kind == "image-to-image" and request.inputs.strength < 1:
            detail = "this model edits a picture as the prompt says: only 1"
            found.append(Problem("/inputs/strength", detail))
        if self.pipe.config.is_distilled and request.inputs.guidance > 1:
            found.append(Problem("/inputs/guidance", "this model was distilled to do without: at most 1"))
        return found

    def spatial(self, latents: torch.Tensor, bucket: Bucket) -> torch.Tensor:
        """One square of 2 × 2 latents a place."""
        height = bucket.inputs.height // self.multiple(self.pipe)
        return latents.unflatten(1, (height, -1)).movedim(-1, 1)

    def channels(self) -> int:
        return int(self.pipe.transformer.config.in_channels)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        vae = self.pipe.vae
        mean = vae.bn.running_mean.view(1, -1, 1, 1)
        deviation = (vae.bn.running_var.view(1, -1, 1, 1) + vae.config.batch_norm_eps).sqrt()
        squares = (latents * deviation + mean).to(vae.dtype)
        colours: torch.Tensor = vae.decode(self.pipe._unpatchify_latents(squares)).sample
        return colours
