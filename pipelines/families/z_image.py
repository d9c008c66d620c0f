"""Z-Image and Z-Image-Turbo."""

from typing import Any, ClassVar

from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    ZImageImg2ImgPipeline,
    ZImageInpaintPipeline,
    ZImagePipeline,
)

from pipelines.base import Capabilities
from pipelines.families._bucket import Bucket
from pipelines.families._diffusers import NEEDS, DiffusersFamily

MOST_TOKENS = 512
"""Of the prompt within the model's template."""


class ZImage(DiffusersFamily):
    pipelines: ClassVar = {
        "text-to-image": ZImagePipeline,
        "image-to-image": ZImageImg2ImgPipeline,
        "inpaint": ZImageInpaintPipeline,
    }
    kinds: ClassVar = tuple(pipelines)
    capabilities: ClassVar = Capabilities(max_batch=8, previews=True, needs=NEEDS)
    # The pipeline hands its steps over in a form that no other scheduler takes.
    schedulers: ClassVar = {"euler": FlowMatchEulerDiscreteScheduler}
    readers: ClassVar = {"tokenizer": MOST_TOKENS}

    def multiple(self, pipe: Any) -> int:
        return 2 * int(pipe.vae_scale_factor)

    def tokens(self, reader: str, prompt: str) -> int:
        written = self.pipe.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=True,
        )
        return super().tokens(reader, written)

    def arguments(self, pipe: Any, bucket: Bucket) -> dict[str, Any]:
        """The pipeline guides from above 0 on, where all others do from above 1 on."""
        arguments = super().arguments(pipe, bucket)
        return arguments if bucket.inputs.guidance > 1 else {**arguments, "guidance_scale": 0.0}
