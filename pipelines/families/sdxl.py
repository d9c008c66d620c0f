"""Stable Diffusion XL, with its distilled kin: Turbo and Lightning as they are saved, LCM by the scheduler
`lcm` and guidance 0."""

from collections.abc import Hashable
from typing import Any, ClassVar

from diffusers import (
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
)

from pipelines.base import Capabilities
from pipelines.families._bucket import Bucket, Row
from pipelines.families._diffusers import NEEDS, DiffusersFamily


class StableDiffusionXL(DiffusersFamily):
    pipelines: ClassVar = {
        "text-to-image": StableDiffusionXLPipeline,
        "image-to-image": StableDiffusionXLImg2ImgPipeline,
        "inpaint": StableDiffusionXLInpaintPipeline,
    }
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=8, previews=True, needs=NEEDS)
    parts: ClassVar = {"add_watermarker": False}  # ours is laid on when the picture is written
    readers: ClassVar = {"tokenizer": None, "tokenizer_2": None}

    def alike(self, row: Row) -> Hashable:
        """With no negative prompt at all the model steers away from nothing, not from empty words."""
        return bool(row.request.inputs.negative_prompt)

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        arguments = super().arguments(pipe, bucket)
        return arguments if bucket.inputs.negative_prompt else arguments | {"negative_prompt": None}
